{{/*
Two kinds of labels: those that select never change in the life of a release; the rest is for people. A pod carries
neither the chart's nor the application's version, or every upgrade would restart pods that did not change.
*/}}
{{- define "smoker.releaseLabels" -}}
app.kubernetes.io/name: smoker
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* What selects one component's pods. Takes root, component. */}}
{{- define "smoker.selectorLabels" -}}
{{ include "smoker.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* What selects every echo pod: the Service and the policies use it. */}}
{{- define "smoker.serverLabels" -}}
{{ include "smoker.releaseLabels" . }}
app: smoker-server
{{- end -}}

{{/* Labels of a pod. Takes root, component, app (optional), podLabels. */}}
{{- define "smoker.podLabels" -}}
{{- $own := include "smoker.selectorLabels" . | fromYaml -}}
{{- $own = merge $own (dict "app.kubernetes.io/part-of" "smoker" "app.kubernetes.io/managed-by" .root.Release.Service) -}}
{{- with .app }}{{ $own = set $own "app" . }}{{ end -}}
{{- merge $own (.podLabels | default dict) | toYaml -}}
{{- end -}}

{{/* Labels of an object: a pod's, the user's, and the versions. Takes the same. */}}
{{- define "smoker.labels" -}}
{{- $labels := include "smoker.podLabels" . | fromYaml -}}
{{- $chart := printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" -}}
{{- $versions := dict "helm.sh/chart" $chart "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_") -}}
{{- merge $labels (.root.Values.commonLabels | default dict) $versions | toYaml -}}
{{- end -}}

{{/* Metadata of an object. Takes the same, and, where they differ from the component's, name and annotations. */}}
{{- define "smoker.metadata" -}}
name: {{ .name | default (include "smoker.name" .) }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "smoker.labels" . | nindent 2 }}
{{- with merge dict (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
