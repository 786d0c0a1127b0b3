{{/* What the schema cannot say, because it compares two values. Each would otherwise fail later, and less clearly. */}}
{{- define "smoker.checks" -}}
{{- $values := .Values -}}
{{- if eq (int64 $values.tcpEcho.port) (int64 $values.httpEcho.port) -}}
{{- fail "httpEcho.port: must differ from tcpEcho.port, both are TCP ports of one Service" -}}
{{- end -}}
{{- if eq (int64 $values.udpEcho.port) (int64 $values.udpEcho.stampPort) -}}
{{- fail "udpEcho.stampPort: must differ from udpEcho.port, both are UDP ports of one pod" -}}
{{- end -}}
{{- range $key := list "tcpEcho" "httpEcho" -}}
{{- if eq (int64 (get $values $key).port) (int64 $values.adminPort) -}}
{{- fail (printf "%s.port: must differ from adminPort, both are TCP ports of one pod" $key) -}}
{{- end -}}
{{- end -}}
{{- with $values.metrics.podMonitor -}}
{{- if gt (int64 .timeoutSeconds) (int64 .intervalSeconds) -}}
{{- fail "metrics.podMonitor.timeoutSeconds: must not exceed intervalSeconds, a scrape ends before the next" -}}
{{- end -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]" (include "smoker.base" .)) -}}
{{- fail "fullnameOverride: needed, as the name of a Service begins with a letter and this release's does not" -}}
{{- end -}}
{{- end -}}
