{{/* Selects who probes: the probers and the test pod of this release. */}}
{{- define "smoker.proberSelector" -}}
matchLabels:
  {{- include "smoker.releaseLabels" . | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [prober, test]}
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

{{- define "smoker.adminIngress" -}}
- ports:
    - {protocol: TCP, port: {{ int64 .Values.adminPort }}}
  {{- with .Values.networkPolicy.adminFrom }}
  from:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
