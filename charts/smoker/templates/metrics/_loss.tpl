{{/* How many packets does a path lose while its target answers? A packet that came late (`delayed`) was not lost. */}}
{{- define "smoker.lossRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $window := include "smoker.longWindow" . -}}
- alert: SmokerPacketLoss
  expr: |
    # The share of a path's packets that were lost …
    (
      sum by (node, probe, target, plane, family) (rate(smoker_probe_packets_total{ {{- include "smoker.ofProbers" . }},fate=~"(request_|reply_)?lost"}[{{ $window }}s]))
        / sum by (node, probe, target, plane, family) (rate(smoker_probe_packets_total{ {{- include "smoker.ofProbers" . }}}[{{ $window }}s]))
        > {{ include "smoker.text" $rules.packetLoss.ratio }}
    )
    # … unless most of the path's probes fail: that is more than loss.
    unless on (node, probe, target, plane, family) (
      {{- include "smoker.failingPaths" . | nindent 6 }}
    )
  for: {{ int64 $rules.packetLoss.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.node }} loses {{ $value | humanizePercentage }} of its packets to {{ $labels.target }} ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }})`}}
    description: >-
      {{`{{ $value | humanizePercentage }} of the packets that {{ $labels.node }} exchanged with {{ $labels.target }}
      ({{ $labels.probe }}{{ with $labels.plane }} {{ . }}{{ end }}{{ with $labels.family }} {{ . }}{{ end }}) were lost, while most of the probes themselves succeed.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerPacketLoss") }}
{{- end -}}
