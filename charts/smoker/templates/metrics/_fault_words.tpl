{{/*
A finding in plain words, by the labels of its series, in Prometheus' language of templates: "node-3: packets are lost on the pod network".
A kind that is not in the table stands for itself; a layer that is not in the table is in the words of the kind.
*/}}
{{- define "smoker.faultWords" -}}
{{- $kinds := dict
  "fault" "probes fail"
  "loss" "packets are lost"
  "mtu" "large packets are lost"
  "dns" "look-ups of the cluster DNS fail"
  "service" "a Service does not answer"
  "not_ready" "NotReady, and probes fail"
  "silent" "the prober hangs, or the hub does not reach it"
  "target" "fails from every node that probes it, or nearly every one"
  "flows" "some flows always fail"
  "conntrack" "stale connection tracking"
  "unknown" "paths fail without a common cause"
-}}
{{- $layers := dict
  "overlay" "on the pod network"
  "network" "on the node network"
  "pods" "at the pods"
  "into_pods" "into pods"
  "out_of_pods" "out of pods"
  "hosts" "on the host network"
-}}
{{`{{ if ne $labels.kind "unknown" }}{{ $labels.scope }}: {{ end }}`}}
{{- include "smoker.wordsOf" (dict "label" "kind" "words" $kinds "other" "{{ $labels.kind }}") -}}
{{- include "smoker.wordsOf" (dict "label" "layer" "words" $layers "before" " ") -}}
{{- end -}}

{{/* The words for the value of a label, in Prometheus' language of templates. Takes label, words, and before, other (for other values). */}}
{{- define "smoker.wordsOf" -}}
{{- $label := .label -}}
{{- $before := .before -}}
{{- $word := "if" -}}
{{- range $value, $words := .words -}}
{{ printf "{{ %s eq $labels.%s %q }}%s%s" $word $label $value (default "" $before) $words }}
{{- $word = "else if" -}}
{{- end -}}
{{ with .other }}{{ printf "{{ else }}%s" . }}{{ end }}{{ "{{ end }}" }}
{{- end -}}
