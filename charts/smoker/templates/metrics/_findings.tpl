{{/*
One alert per finding of the hub, however many paths fail with it. A finding of severity info, such as an echo that moved, is no fault.
A certificate that expires has an alert of its own.
The window bridges a restart of the hub, after which a finding opens again once two collections have seen it.
*/}}
{{- define "smoker.findingRules" -}}
{{- $rules := .Values.metrics.prometheusRule -}}
{{- $window := include "smoker.window" . -}}
{{- $findings := include "smoker.findingsOfTheRule" . -}}
{{- if and $rules.fault.enabled $findings }}
- alert: SmokerFault
  expr: |
    # Every replica has the same findings, with the same ids.
    max by (finding, scope, layer, kind, severity) (
      max_over_time(smoker_finding_open{ {{- include "smoker.ofHub" . }},{{ $findings }},kind!="certificate"}[{{ $window }}s])
    ) > 0
  for: {{ int64 $rules.fault.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.fault) | nindent 4 }}
  annotations:
    summary: >-
      {{ include "smoker.faultWords" . }}
    description: >-
      This is finding {{`{{ $labels.finding }}`}} of the hub. For its evidence and the next command run
      kubectl smoker finding {{`{{ $labels.finding }}`}} --namespace {{ .Release.Namespace }} --release {{ .Release.Name }},
      or {{ with include "smoker.hubUrl" . }}open {{ . | trimSuffix "/" }}/?view=finding&id={{`{{ $labels.finding }}`}}
      {{- else }}look for it on the hub's page or in its log{{ end }}.
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerFault") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- if $rules.hubBlind.enabled }}
{{- /* The alert has two causes, each with a rule of its own. The label `sign` tells them apart. */}}
- alert: SmokerHubBlind
  expr: |
    # No hub answers the scrape, or none is known.
    max(up{ {{- include "smoker.ofHub" . }}}) == 0
    or max(absent(up{ {{- include "smoker.ofHub" . }}}))
  for: {{ int64 $rules.hubBlind.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.hubBlind "sign" "missing") | nindent 4 }}
  annotations:
    summary: no hub answers
    description: >-
      No hub of this release answers the scrape. Probers keep probing, but no fault is named and SmokerFault cannot fire. Check the
      hub's pod and its log.
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerHubBlind") }}
    {{- . | nindent 4 }}
    {{- end }}
- alert: SmokerHubBlind
  expr: |
    # The replica that reaches most probers still reaches fewer than half of them.
    max(
      sum by (pod) (smoker_hub_probers{ {{- include "smoker.ofHub" . }},state="answering"})
        / (sum by (pod) (smoker_hub_probers{ {{- include "smoker.ofHub" . }}}) > 0)
    ) < 0.5
  for: {{ int64 $rules.hubBlind.forSeconds }}s
  labels:
    {{- include "smoker.alertLabels" (dict "root" . "rule" $rules.hubBlind "sign" "cut_off") | nindent 4 }}
  annotations:
    summary: >-
      {{`only {{ $value | humanizePercentage }} of the probers answer the hub`}}
    description: >-
      {{`Only {{ $value | humanizePercentage }} of the probers answer the hub. Either the hub is cut off, or most of the network is down. Until more
      probers answer, it neither opens nor closes a finding.`}}
    {{- with include "smoker.runbook" (dict "root" . "alert" "SmokerHubBlind") }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end -}}

{{/*
PromQL matcher of the findings for which Prometheus fires SmokerFault; empty: none. It leaves out those that the hub sends to an
Alertmanager itself as SmokerFault: the labels differ, so Alertmanager would take the two for two alerts.
*/}}
{{- define "smoker.findingsOfTheRule" -}}
{{- $matcher := "severity!=\"info\"" -}}
{{- range .Values.metrics.prometheusRule.fault.besideAlertmanager | ternary (list) .Values.hub.notify -}}
{{- if eq .type "alertmanager" -}}
{{- $matcher = and $matcher (eq (.minSeverity | default "") "critical" | ternary "severity=\"warning\"" "") -}}
{{- end -}}
{{- end -}}
{{- $matcher -}}
{{- end -}}

{{/*
Nodes that an open finding names, by the words of its label `scope`: "a", "into a", "out of a", "between a and b", "from a to b".
A fault that the hub has found needs no second alert. No name of a node has a space, so zones and other places match neither pattern.
*/}}
{{- define "smoker.nodesAtFault" -}}
{{- $open := printf "max by (scope) (max_over_time(smoker_finding_open{%s,severity!=\"info\"}[%ss]))" (include "smoker.ofHub" .) (include "smoker.window" .) -}}
label_replace(
  {{ $open }},
  "node", "$1", "scope", "(?:into |out of |between |from )?([^ ]+)(?: (?:and|to) [^ ]+)?"
)
or label_replace(
  {{ $open }},
  "node", "$1", "scope", "(?:between|from) [^ ]+ (?:and|to) ([^ ]+)"
)
{{- end -}}
