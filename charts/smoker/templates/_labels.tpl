{{/*
There are two kinds of labels. Selector labels never change in the life of a release; the others inform people. Pods carry
neither the chart's nor the application's version: with them, every upgrade would restart pods that did not change.
*/}}
{{- define "smoker.releaseLabels" -}}
app.kubernetes.io/name: smoker
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Selector labels of one component's pods. Takes root, component. */}}
{{- define "smoker.selectorLabels" -}}
{{ include "smoker.releaseLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Selector labels of all echo pods, for the Service and the policies. */}}
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

{{/* Labels of an object: those of a pod, the user's labels, and the versions. Takes the same. */}}
{{- define "smoker.labels" -}}
{{- $labels := include "smoker.podLabels" . | fromYaml -}}
{{- $chart := printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" -}}
{{- $versions := dict "helm.sh/chart" $chart "app.kubernetes.io/version" (.root.Chart.AppVersion | replace "+" "_") -}}
{{- merge $labels (.root.Values.commonLabels | default dict) $versions | toYaml -}}
{{- end -}}

{{/* Metadata of an object. Takes the same; also name and annotations if they differ from the component's. */}}
{{- define "smoker.metadata" -}}
name: {{ .name | default (include "smoker.name" .) }}
namespace: {{ .namespace | default .root.Release.Namespace | quote }}
labels:
  {{- include "smoker.labels" . | nindent 2 }}
{{- with merge dict (.annotations | default dict) (.root.Values.commonAnnotations | default dict) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
