{{/* Does a certificate expire? The hub has a finding for it, which is no second alert. */}}
{{- define "smoker.certificateRules" -}}
{{- $rule := .Values.metrics.prometheusRule.certificateExpires -}}
{{- if $rule.enabled -}}
- alert: SmokerCertificateExpires
  expr: |
    # The earliest date that any node sees.
    min by (target) (smoker_tls_not_after_timestamp_seconds{ {{- include "smoker.ofProbers" . }}}) - time()
      < {{ int64 $rule.withinSeconds }}
  for: {{ int64 $rule.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rule) | nindent 4 }}
  annotations:
    summary: >-
      {{`the certificate of {{ $labels.target }} expires in {{ $value | humanizeDuration }}`}}
    description: >-
      {{`The first certificate in the chain of {{ $labels.target }} expires in {{ $value | humanizeDuration }} (below zero: it has expired since). From then on
      clients that verify it fail.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerCertificateExpires") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}
