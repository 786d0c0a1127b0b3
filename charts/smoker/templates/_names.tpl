{{/*
Names: <base>-<component>. The longest component is "http-echo", so that a base of 53 characters stays within the 63 of
a label and of a Service. A release name may hold dots, a Service's name may not.
*/}}
{{- define "smoker.base" -}}
{{- .Values.fullnameOverride | default .Release.Name | replace "." "-" | trunc 53 | regexFind "^.*[^-]" -}}
{{- end -}}

{{/* Name of a component's objects. Takes root, component. */}}
{{- define "smoker.name" -}}
{{- printf "%s-%s" (include "smoker.base" .root) .component -}}
{{- end -}}

{{/* The Service that carries every echo port. */}}
{{- define "smoker.serverName" -}}
{{- include "smoker.name" (dict "root" . "component" "server") -}}
{{- end -}}

{{/* Reference of a component's image. Takes root, image. A tag beside a digest is only for the reader. */}}
{{- define "smoker.image" -}}
{{- $values := .root.Values -}}
{{- $registry := ($values.global | default dict).imageRegistry | default $values.imageRegistry -}}
{{- with .image.repository }}{{ . }}{{ else }}{{ with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.name }}{{ end -}}
:{{ .image.tag | default $values.imageTag | default .root.Chart.AppVersion -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* The secrets to pull images with: the chart's, then a parent chart's, each once, as a JSON list. */}}
{{- define "smoker.pullSecrets" -}}
{{- $secrets := .Values.imagePullSecrets -}}
{{- range (.Values.global | default dict).imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- $secrets | uniq | toJson -}}
{{- end -}}

{{/* Name of a component's service account. Takes root, component, values. */}}
{{- define "smoker.account" -}}
{{- $account := .values.serviceAccount -}}
{{- $account.name | default ($account.create | ternary (include "smoker.name" .) "default") -}}
{{- end -}}
