{{/*
What is at fault, by the hub: one alert for each finding, whatever number of paths fail with it. The window bridges a restart of the
hub, after which a finding needs two looks to open again.
*/}}
{{- define "smoker.findingRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $window := include "smoker.window" . -}}
- alert: SmokerFault
  expr: |
    # Every replica has the same findings, with the same ids.
    max by (finding, scope, layer, kind, severity) (
      max_over_time(smoker_finding_open{ {{- include "smoker.ofHub" . }}}[{{ $window }}s])
    ) > 0
  for: {{ int64 $rules.fault.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "") | nindent 4 }}
  annotations:
    summary: >-
      {{`{{ $labels.scope }}: {{ $labels.kind }}{{ with $labels.layer }} of layer {{ . }}{{ end }}, finding {{ $labels.finding }}`}}
    description: >-
      {{`The hub has found a fault of the network at {{ $labels.scope }}{{ with $labels.layer }} (layer {{ . }}){{ end }}. kubectl smoker findings, or the hub's
      page and log, have the evidence and the next command for the finding {{ $labels.finding }}.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerFault") }}
{{- /* Two reasons for one ill: so two rules, told apart by a label. */}}
- alert: SmokerHubBlind
  expr: |
    # No hub answers the scrape, or none is known.
    max(up{ {{- include "smoker.ofHub" . }}}) == 0
    or max(absent(up{ {{- include "smoker.ofHub" . }}}))
  for: {{ int64 $rules.hubBlind.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
    sign: missing
  annotations:
    summary: there is no hub that answers
    description: >-
      No hub of this release answers the scrape. Probers go on probing, but nobody says what is at fault, and SmokerFault is silent.
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerHubBlind") }}
- alert: SmokerHubBlind
  expr: |
    # Even the hub that hears most hears fewer than half of the probers.
    max(
      sum by (pod) (smoker_hub_probers{ {{- include "smoker.ofHub" . }},state="answering"})
        / (sum by (pod) (smoker_hub_probers{ {{- include "smoker.ofHub" . }}}) > 0)
    ) < 0.5
  for: {{ int64 $rules.hubBlind.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "severity" "warning") | nindent 4 }}
    sign: cut_off
  annotations:
    summary: >-
      {{`the hub hears {{ $value | humanizePercentage }} of the probers`}}
    description: >-
      {{`Only {{ $value | humanizePercentage }} of the probers answer the hub. It is cut off itself, or most of the network is down: it neither opens nor
      closes a finding meanwhile.`}}
    runbook_url: {{ include "smoker.runbook" (dict "root" . "alert" "SmokerHubBlind") }}
{{- end -}}

{{/* Nodes that an open finding names: what the hub has found needs no second alert. */}}
{{- define "smoker.nodesAtFault" -}}
label_replace(
  max by (scope) (max_over_time(smoker_finding_open{ {{- include "smoker.ofHub" . }}}[{{ include "smoker.window" . }}s])),
  "node", "$1", "scope", "(.+)"
)
{{- end -}}
