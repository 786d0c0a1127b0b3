{{/* Selects who probes: the probers and the test pod of this release. */}}
{{- define "smoker.proberSelector" -}}
matchLabels:
  {{- include "smoker.releaseLabels" . | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [prober, host, test]}
{{- end -}}

{{/*
The echo ports by number: not every network plugin knows names in egress rules, and a pod's number is the Service's, so
that it does not matter on which side of the Service a plugin looks.
*/}}
{{- define "smoker.echoPorts" -}}
- {protocol: TCP, port: {{ int64 .Values.tcpEcho.port }}}
- {protocol: UDP, port: {{ int64 .Values.udpEcho.port }}}
- {protocol: UDP, port: {{ int64 .Values.udpEcho.stampPort }}}
- {protocol: TCP, port: {{ int64 .Values.httpEcho.port }}}
{{- end -}}

{{/*
Whether ranges hold every address of both families. A rule for any address has no list of peers at all: Cilium lets no ipBlock,
however wide, match a node or the API server. Takes the ranges; not empty if so.
*/}}
{{- define "smoker.anywhere" -}}
{{- $all := join " " . -}}
{{- if and (regexMatch "(^| )[0-9.]+/0( |$)" $all) (regexMatch "(^| )[^ ]*:[^ ]*/0( |$)" $all) }}yes{{ end -}}
{{- end -}}

{{- define "smoker.ipBlocks" -}}
{{- range . }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end -}}

{{/*
Who may connect to an echo port: the probers, those on the nodes' network, which have the nodes' addresses that no selector knows,
and others. Empty where that is everybody. Takes root, others (optional).
*/}}
{{- define "smoker.fromProbers" -}}
{{- $values := .root.Values -}}
{{- $cidrs := $values.networkPolicy.nodeCidrs -}}
{{- if not (and $values.hostNetwork.enabled (include "smoker.anywhere" $cidrs)) -}}
from:
  - podSelector:
      {{- include "smoker.proberSelector" .root | nindent 6 }}
  {{- if $values.hostNetwork.enabled }}
  {{- include "smoker.ipBlocks" $cidrs | trim | nindent 2 }}
  {{- end }}
  {{- with .others }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Where connections may go, by ranges; empty where that is everywhere. Takes the ranges. */}}
{{- define "smoker.toRanges" -}}
{{- if not (include "smoker.anywhere" .) -}}
to:
  {{- include "smoker.ipBlocks" . | trim | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The same of a prober's own echoes. Takes mesh ports. */}}
{{- define "smoker.peerPorts" -}}
{{- range include "smoker.meshPorts" . | fromYamlArray }}
- {protocol: {{ .protocol }}, port: {{ int64 .number }}}
{{- end }}
{{- end -}}

{{- define "smoker.adminIngress" -}}
- ports:
    - {protocol: TCP, port: {{ int64 .Values.adminPort }}}
  {{- if .Values.networkPolicy.adminFrom }}
  from:
    {{- toYaml .Values.networkPolicy.adminFrom | nindent 4 }}
    {{- /* helm test, and `once --mesh` in a prober, ask the probers what they saw. */}}
    - podSelector:
        {{- include "smoker.proberSelector" . | nindent 8 }}
    {{- if include "smoker.hub" . }}
    {{- /* The hub reads the state of every prober. */}}
    - podSelector:
        matchLabels:
          {{- include "smoker.selectorLabels" (dict "root" . "component" "hub") | nindent 10 }}
    {{- end }}
    {{- /* Ranges of any address would undo adminFrom. */}}
    {{- if and .Values.hostNetwork.enabled (not (include "smoker.anywhere" .Values.networkPolicy.nodeCidrs)) }}
    {{- include "smoker.ipBlocks" .Values.networkPolicy.nodeCidrs | trim | nindent 4 }}
    {{- end }}
  {{- end }}
{{- end -}}

{{/* The ports of URLs, which are a map by name. */}}
{{- define "smoker.targetPorts" -}}
{{- range . }}
{{- $url := urlParse . }}
- {{ regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (get (dict "https" 443 "dns" 53) $url.scheme | default 80) }}
{{- end }}
{{- end -}}

{{/* The ports of the DNS servers among these targets, as JSON: they are asked over UDP, too. */}}
{{- define "smoker.dnsTargetPorts" -}}
{{- $urls := list -}}
{{- range . }}{{ if and . (hasPrefix "dns://" .) }}{{ $urls = append $urls . }}{{ end }}{{ end -}}
{{- include "smoker.targetPorts" $urls -}}
{{- end -}}
