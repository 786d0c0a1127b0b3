{{/*
Names: <base>-<component>. Labels and names of Services have at most 63 characters; the longest component is "http-echo", so a base
may have 53. A release's name may contain dots, a Service's name may not.
*/}}
{{- define "smoker.base" -}}
{{- .Values.fullnameOverride | default .Release.Name | replace "." "-" | trunc 53 | regexFind "^.*[^-]" -}}
{{- end -}}

{{/* Name of a component's objects. Takes root, component. */}}
{{- define "smoker.name" -}}
{{- printf "%s-%s" (include "smoker.base" .root) .component -}}
{{- end -}}

{{/* Name of the Service that has all echo ports. */}}
{{- define "smoker.serverName" -}}
{{- include "smoker.name" (dict "root" . "component" "server") -}}
{{- end -}}

{{/* Reference of a component's image. Takes root, image. With a digest the tag has no effect; it informs the reader. */}}
{{- define "smoker.image" -}}
{{- $values := .root.Values -}}
{{- $registry := ($values.global | default dict).imageRegistry | default $values.imageRegistry -}}
{{- with .image.repository }}{{ . }}{{ else }}{{ with $registry }}{{ trimSuffix "/" . }}/{{ end }}{{ .image.name }}{{ end -}}
:{{ .image.tag | default $values.imageTag | default .root.Chart.AppVersion -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}

{{/* The secrets for pulling images, as a JSON list without duplicates: the chart's, then a parent chart's. */}}
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
