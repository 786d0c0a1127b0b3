{{/*
Does a node lose packets while its targets answer? A packet that came late (`delayed`) was not lost. All packets of a node on one plane
and in one family count together. The alert compares the lower bound of the node's true loss, because a few packets prove nothing.
*/}}
{{- define "smoker.lossRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- if $rules.packetLoss.enabled -}}
- record: smoker:node_packets:increase
  expr: |
    {{- include "smoker.packets" (dict "root" . "of" "") | nindent 4 }}
  labels:
    {{- include "smoker.recordLabels" . | nindent 4 }}
- record: smoker:node_packets_lost:increase
  expr: |
    {{- include "smoker.packets" (dict "root" . "of" `,fate=~"(request_|reply_)?lost"`) | nindent 4 }}
  labels:
    {{- include "smoker.recordLabels" . | nindent 4 }}
- alert: SmokerPacketLoss
  expr: |
    # The share of a node's packets that were lost …
    (
      {{ include "smoker.nodePackets" (dict "root" . "of" "_lost") }}
        / ({{ include "smoker.nodePackets" (dict "root" . "of" "") }} > 0)
    )
    # … if its true loss exceeds the limit with 99.5 % certainty: the lower end of Wilson's interval with z = 2.6.
    and (
      (
        {{ include "smoker.nodePackets" (dict "root" . "of" "_lost") }} + 2.6 ^ 2 / 2
        - 2.6 * sqrt(
          {{ include "smoker.nodePackets" (dict "root" . "of" "_lost") }}
          * (1 - {{ include "smoker.nodePackets" (dict "root" . "of" "_lost") }} / {{ include "smoker.nodePackets" (dict "root" . "of" "") }})
          + 2.6 ^ 2 / 4
        )
      ) / ({{ include "smoker.nodePackets" (dict "root" . "of" "") }} + 2.6 ^ 2)
      > {{ include "smoker.text" $rules.packetLoss.ratio }}
    )
  for: {{ include "smoker.forMoreThanALongWindow" . }}
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.packetLoss) | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} loses {{ $value | humanizePercentage }} of its packets{{ with $labels.plane }} (plane {{ . }}{{ with $labels.family }}, {{ . }}{{ end }}){{ end }}`}}
    description: >-
      {{`{{ $value | humanizePercentage }} of the packets that {{ $labels.node }} exchanged with its targets{{ with $labels.plane }} over plane {{ . }}{{ end }}
      were lost, while the probes themselves succeed.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerPacketLoss") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/* Packets of each node in twenty rounds, without those to targets that do not answer. Takes root, of (additional matchers). */}}
{{- define "smoker.packets" -}}
sum by (node, plane, family) (
  sum by (node, probe, target, plane, family) (increase(smoker_probe_packets_total{ {{- include "smoker.ofProbers" .root }}{{ .of }}}[{{ include "smoker.longWindow" .root }}s]))
  unless on (node, probe, target, plane, family) {{ include "smoker.failingPaths" .root }}
)
{{- end -}}

{{/* The same, as recorded. Takes root, of (the end of the name). */}}
{{- define "smoker.nodePackets" -}}
max by (node, plane, family) (smoker:node_packets{{ .of }}:increase{ {{- include "smoker.ofRelease" .root }}})
{{- end -}}
