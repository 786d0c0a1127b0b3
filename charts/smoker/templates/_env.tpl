{{/*
Environment variables are written into the pod templates, not into a ConfigMap, so that a changed value restarts exactly the pods
that read it. What probers read again while they run is in the plan (_plan.tpl).
*/}}

{{/* A value as text. Helm reads numbers as floats, which would print 10485760 as 1.048576e+07. */}}
{{- define "smoker.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end -}}

{{/*
The env list of a container. Takes root, key (of the values), values, env (name: value), fieldEnv (name: field path), secretEnv
(name: reference to a key of a Secret).
Server-side apply refuses a list with the same name twice, so extraEnv may not contain a name that is set here.
*/}}
{{- define "smoker.env" -}}
{{- $key := .key -}}
{{- $shared := .root.Values -}}
{{- $fieldEnv := .fieldEnv | default dict -}}
{{- $secretEnv := .secretEnv | default dict -}}
{{- $log := dict "LOG_FORMAT" $shared.log.format -}}
{{- $planned := dict -}}
{{- if .plan }}{{ $planned = (.root.Files.Get "probes.yaml" | fromYaml).variables -}}
{{- else }}{{ $log = merge $log (dict "LOG_LEVEL" (.values.log.level | default $shared.log.level)) }}{{ end -}}
{{- $env := merge .env (dict "ADMIN_PORT" $shared.adminPort) $log -}}
{{- range $name, $value := $env }}
- name: {{ $name }}
  value: {{ include "smoker.text" $value | quote }}
{{- end }}
{{- range $name, $path := $fieldEnv }}
- name: {{ $name }}
  valueFrom: {fieldRef: {fieldPath: {{ $path }}}}
{{- end }}
{{- range $name, $ref := $secretEnv }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {{ toJson $ref }}}
{{- end }}
{{- range .values.extraEnv }}
{{- if hasKey $planned .name }}
{{- fail (printf "%s.extraEnv: %s wins over the plan; use the value %s" $key .name (get $planned .name)) }}
{{- end }}
{{- if or (hasKey $env .name) (hasKey $fieldEnv .name) (hasKey $secretEnv .name) }}
{{- fail (printf "%s.extraEnv: %s is set by the chart already; the table in README.md says by which value" $key .name) }}
{{- end }}
- {{ toYaml . | nindent 2 | trim }}
{{- end }}
{{- end -}}

{{/* The UDP ports of every echo and reflector of a release, on all planes. They answer no datagram from one of these ports: two of
them would echo each other for ever. */}}
{{- define "smoker.allEchoPorts" -}}
{{- $ports := list (int64 .Values.udpEcho.port) (int64 .Values.udpEcho.stampPort) -}}
{{- range list .Values.mesh.ports .Values.hostNetwork.ports -}}
{{- $ports = concat $ports (list (int64 .udp) (int64 .stamp)) -}}
{{- end -}}
{{- $ports | uniq | sortAlpha | join "," -}}
{{- end -}}

{{/* Environment of every prober, including the test pod's. Takes root. */}}
{{- define "smoker.proberEnv" -}}
CONFIG_FILE: /etc/smoker/plan/plan.yaml
ECHO_PORTS: {{ include "smoker.allEchoPorts" .root | quote }}
{{- end -}}

{{/* Environment for the mesh, of the DaemonSets' probers. Takes root, network, ports. */}}
{{- define "smoker.meshEnv" -}}
{{- $mesh := .root.Values.mesh -}}
LINGER: {{ .root.Values.lingerSeconds }}
NETWORK: {{ .network }}
CLUSTER_NAME: {{ .root.Values.cluster.name | quote }}
DISCOVERY: {{ $mesh.enabled | ternary "endpointslice" "static" }}
NAMESPACE: {{ .root.Release.Namespace | quote }}
PEER_SERVICE: {{ include "smoker.name" (dict "root" .root "component" "prober") | quote }}
PEER_HOST_SERVICE: {{ .root.Values.hostNetwork.enabled | ternary (include "smoker.name" (dict "root" .root "component" "host")) "" | quote }}
PEER_TCP_PORT: {{ $mesh.enabled | ternary .ports.tcp 0 }}
PEER_UDP_PORT: {{ $mesh.enabled | ternary .ports.udp 0 }}
PEER_HTTP_PORT: {{ $mesh.enabled | ternary .ports.http 0 }}
PEER_STAMP_PORT: {{ $mesh.enabled | ternary .ports.stamp 0 }}
PEER_BANDWIDTH_PORT: {{ int64 (.ports.bandwidth | default 0) }}
BANDWIDTH_LEASE: {{ hasKey .ports "bandwidth" | ternary (include "smoker.bandwidthLease" .root) "" | quote }}
MAX_CONNECTIONS: {{ int64 $mesh.maxConnections }}
MAX_CONNECTIONS_PER_CLIENT: {{ int64 $mesh.maxConnectionsPerClient }}
ANSWER_RATE: {{ int64 $mesh.answerRate }}
{{- end -}}

{{/* "true" where the pods of the cluster's DNS are probed: that needs the API server, as the mesh does. */}}
{{- define "smoker.dnsReplicas" -}}
{{- if and .Values.mesh.enabled .Values.dns.name .Values.dns.replicas.service }}true{{ end -}}
{{- end -}}
