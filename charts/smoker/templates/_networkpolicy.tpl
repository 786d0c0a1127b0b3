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

{{/* The probers on the nodes' network, where there are any: they have the nodes' addresses, which no selector knows. */}}
{{- define "smoker.nodePeers" -}}
{{- if .Values.hostNetwork.enabled }}
{{- range .Values.networkPolicy.nodeCidrs }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end }}
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
  {{- with .Values.networkPolicy.adminFrom }}
  from:
    {{- toYaml . | nindent 4 }}
    {{- /* helm test asks the probers what they saw. */}}
    - podSelector:
        matchLabels:
          {{- include "smoker.selectorLabels" (dict "root" $ "component" "test") | nindent 10 }}
  {{- end }}
{{- end -}}

{{/* The ports of URLs, which are a map by name. */}}
{{- define "smoker.targetPorts" -}}
{{- range . }}
{{- $url := urlParse . }}
- {{ regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (eq $url.scheme "https" | ternary 443 80) }}
{{- end }}
{{- end -}}
