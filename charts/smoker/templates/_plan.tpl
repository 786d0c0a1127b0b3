{{/*
The plan: what probers probe, how often and how. It is a ConfigMap that probers read again when it changes, so none of these values
restarts a pod. The pods carry no checksum of it.
*/}}

{{/* The targets of `prober.targets` and `prober.config.targets`, as a JSON list of entries. */}}
{{- define "smoker.targets" -}}
{{- $targets := list -}}
{{- range $name, $target := .Values.prober.targets -}}
{{- if kindIs "string" $target }}{{ $targets = append $targets (dict "name" $name "url" $target) }}{{ end -}}
{{- if kindIs "map" $target }}{{ $targets = append $targets (merge (dict "name" $name) $target) }}{{ end -}}
{{- end -}}
{{- concat $targets (.Values.prober.config.targets | default list) | toJson -}}
{{- end -}}

{{/* The plan, as YAML. `prober.config` is merged over what the other values say. */}}
{{- define "smoker.plan" -}}
{{- $prober := .Values.prober -}}
{{- $ports := dict "tcp" .Values.tcpEcho.port "udp" .Values.udpEcho.port "http" .Values.httpEcho.port "stamp" .Values.udpEcho.stampPort -}}
{{- $host := $prober.serverHost | default (include "smoker.serverName" .) -}}
{{- $udp := dict "packets" $prober.udpPackets "mtuInterval" $prober.mtuIntervalSeconds "flows" $prober.flows "keptFlow" $prober.keptFlow -}}
{{- $plan := dict "interval" $prober.intervalSeconds "timeout" $prober.timeoutSeconds "latency" $prober.latency "trace" $prober.trace -}}
{{- $_ := set $plan "logLevel" ($prober.log.level | default .Values.log.level) -}}
{{- $_ := set $plan "service" (dict "host" $host "ports" $ports "probes" $prober.probes) -}}
{{- $_ := set $plan "mesh" (dict "peers" .Values.mesh.peers "probes" $prober.probes) -}}
{{- $_ := set $plan "probes" (dict "udp" $udp) -}}
{{- /* The API server's CA comes with the account's token, which only probers of a mesh have. */}}
{{- $_ := set $plan "apiServer" (and .Values.mesh.enabled $prober.probeApiServer) -}}
{{- $dns := dict "replicas" (pick .Values.dns.replicas "namespace") -}}
{{- with .Values.dns.name }}{{ $_ := set $dns "name" . }}{{ end -}}
{{- with .Values.dns.replicas.service }}{{ $_ := set $dns.replicas "service" . }}{{ end -}}
{{- $_ := set $plan "dns" $dns -}}
{{- $_ := set $plan "bandwidth" (dict "enabled" .Values.bandwidth.enabled "every" .Values.bandwidth.intervalSeconds
  "bytes" (int64 .Values.bandwidth.bytes) "duration" .Values.bandwidth.durationSeconds) -}}
{{- $plan = mergeOverwrite $plan (deepCopy $prober.config) -}}
{{- set $plan "targets" (include "smoker.targets" . | fromJsonArray | default list) | toYaml -}}
{{- end -}}
