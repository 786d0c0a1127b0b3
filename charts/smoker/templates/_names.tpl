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
{{- with $values.imageRegistry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .image.name }}:{{ .image.tag | default $values.imageTag | default .root.Chart.AppVersion -}}
{{- with .image.digest }}@{{ . }}{{ end -}}
{{- end -}}
