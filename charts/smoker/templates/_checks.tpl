{{/* Checks that compare two values, which the schema cannot. Without them these mistakes would show later, and less clearly. */}}
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
{{- if eq (int64 $values.hub.port) (int64 $values.adminPort) -}}
{{- fail "hub.port: must differ from adminPort, both are TCP ports of one pod" -}}
{{- end -}}
{{- include "smoker.oldValuesChecks" . -}}
{{- include "smoker.hubNotifyChecks" . -}}
{{- include "smoker.hubIngressChecks" . -}}
{{- if and $values.hub.history.enabled $values.hub.history.persistence.enabled (gt (int64 $values.hub.replicas) 1) -}}
{{- fail "hub.history.persistence.enabled: needs hub.replicas of 1, because two pods cannot write to one claim" -}}
{{- end -}}
{{- if and $values.hostNetwork.enabled (not $values.mesh.enabled) -}}
{{- fail "hostNetwork.enabled: needs mesh.enabled, because without peers a second prober on each node has nothing to compare" -}}
{{- end -}}
{{- include "smoker.planChecks" . -}}
{{- $surge := dig "rollingUpdate" "maxSurge" 0 $values.prober.updateStrategy | toString -}}
{{- if and $values.hostNetwork.enabled (not (has $surge (list "0" "0%"))) -}}
{{- fail "prober.updateStrategy.rollingUpdate.maxSurge: must be 0 with hostNetwork.enabled, because a node has each port once" -}}
{{- end -}}
{{- with $values.mesh -}}
{{- include "smoker.distinct" (dict "key" "mesh.ports" "ports" .ports "admin" $values.adminPort "adminKey" "adminPort") -}}
{{- end -}}
{{- with $values.hostNetwork -}}
{{- include "smoker.distinct" (dict "key" "hostNetwork.ports" "ports" .ports "admin" .adminPort "adminKey" "hostNetwork.adminPort") -}}
{{- end -}}
{{- range $monitor := list "podMonitor" "serviceMonitor" -}}
{{- with get $values.metrics $monitor -}}
{{- if gt (int64 .timeoutSeconds) (int64 .intervalSeconds) -}}
{{- fail (printf "metrics.%s.timeoutSeconds: must not exceed intervalSeconds, because a scrape ends before the next begins" $monitor) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $values.metrics.podMonitor.enabled $values.metrics.serviceMonitor.enabled -}}
{{- fail "metrics.serviceMonitor.enabled: excludes metrics.podMonitor.enabled, because each pod would be scraped twice" -}}
{{- end -}}
{{- if not (regexMatch "^[a-z]" (include "smoker.base" .)) -}}
{{- fail "fullnameOverride: must be set, because the name of a Service begins with a letter and this release's name does not" -}}
{{- end -}}
{{- end -}}

{{/* Fails unless the ports of one prober differ, for TCP and for UDP. Takes key, ports, admin, adminKey. */}}
{{- define "smoker.distinct" -}}
{{- if eq (int64 .ports.tcp) (int64 .ports.http) -}}
{{- fail (printf "%s.http: must differ from %s.tcp, both are TCP ports of one prober" .key .key) -}}
{{- end -}}
{{- if eq (int64 .ports.udp) (int64 .ports.stamp) -}}
{{- fail (printf "%s.stamp: must differ from %s.udp, both are UDP ports of one prober" .key .key) -}}
{{- end -}}
{{- if has (int64 .admin) (list (int64 .ports.tcp) (int64 .ports.http)) -}}
{{- fail (printf "%s: must differ from tcp and http of %s, all are TCP ports of one prober" .adminKey .key) -}}
{{- end -}}
{{- end -}}

{{/* Refuses the values of older charts that others replaced, and names these; docs/upgrading.md lists both. An empty value is not refused:
--reuse-values brings the defaults of the old chart along. */}}
{{- define "smoker.oldValuesChecks" -}}
{{- $old := .Values.hub.webhook | default dict -}}
{{- if $old.url -}}
{{- fail "hub.webhook.url: is now an entry of hub.notify: {type: webhook, url: …}" -}}
{{- end -}}
{{- if $old.existingSecret -}}
{{- fail "hub.webhook.existingSecret: is now part of an entry of hub.notify: signingKeyFromSecret: {name, key: secret}, urlFromSecret: {name, key: url}" -}}
{{- end -}}
{{- end -}}
