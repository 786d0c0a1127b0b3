{{/* The ports on which a prober answers its peers. Peers find a port by its name. Takes mesh ports. */}}
{{- define "smoker.meshPorts" -}}
- {name: tcp-echo, number: {{ int64 .tcp }}, protocol: TCP}
- {name: udp-echo, number: {{ int64 .udp }}, protocol: UDP}
- {name: http-echo, number: {{ int64 .http }}, protocol: TCP}
- {name: stamp, number: {{ int64 .stamp }}, protocol: UDP}
{{- with .bandwidth }}
- {name: bandwidth, number: {{ int64 . }}, protocol: TCP}
{{- end }}
{{- end -}}

{{/* The mesh ports of the probers in the pod network: with `bandwidth` where they measure it. As JSON. */}}
{{- define "smoker.podPorts" -}}
{{- $ports := deepCopy .Values.mesh.ports -}}
{{- if include "smoker.bandwidthLease" . }}{{ $_ := set $ports "bandwidth" .Values.bandwidth.port }}{{ end -}}
{{- $ports | toJson -}}
{{- end -}}

{{/* The Lease whose holder measures the bandwidth to a peer; empty where none does. */}}
{{- define "smoker.bandwidthLease" -}}
{{- if and .Values.mesh.enabled .Values.bandwidth.enabled }}{{ include "smoker.name" (dict "root" . "component" "bandwidth") }}{{ end -}}
{{- end -}}

{{/*
A DaemonSet of probers, in the pod network or in the host network. Takes root, component, app, network, ports and, in the host
network, adminPort.
*/}}
{{- define "smoker.probers" -}}
{{- $values := .root.Values -}}
{{- $own := $values.prober -}}
{{- if eq .network "host" -}}
{{- $contexts := list "podSecurityContext" "containerSecurityContext" -}}
{{- range $contexts }}{{ $own = set (omit $own .) . (get $values.hostNetwork .) }}{{ end -}}
{{- end -}}
{{- $pod := dict "values" $own "args" (list "run") "serves" true "key" "prober" "plan" true -}}
{{- $env := include "smoker.proberEnv" (dict "root" .root) | fromYaml -}}
{{- $env = merge $env (include "smoker.meshEnv" . | fromYaml) -}}
{{- with .adminPort }}{{ $_ := set $env "ADMIN_PORT" . }}{{ end -}}
{{- $_ := set $pod "env" $env -}}
{{- $_ := set $pod "fieldEnv" (dict "NODE_NAME" "spec.nodeName") -}}
{{- /* In the host network the pod's addresses are the node's, one per family. EndpointSlices contain the same addresses. */}}
{{- if and (eq .network "host") (eq $values.hostNetwork.listen "nodeIP") -}}
{{- $_ := set $pod.fieldEnv "LISTEN_ADDRESS" "status.podIPs" -}}
{{- end -}}
{{- /* A prober is ready after its first round. In it each probe, and the follow-ups of UDP, may take the whole timeout. The
limit is the same for every timeout up to 50 s, because a change of the plan restarts no pod. */}}
{{- $_ := set $pod "readyWithin" (max 300 (mul 6 (ceil $values.prober.timeoutSeconds))) -}}
{{- if $values.mesh.enabled -}}
{{- $_ := set $pod "ports" (include "smoker.meshPorts" .ports | fromYamlArray) -}}
{{- $_ := set $pod "account" (include "smoker.account" (dict "root" .root "component" "prober" "values" $values.prober)) -}}
{{- end -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  {{- include "smoker.metadata" . | nindent 2 }}
spec:
  revisionHistoryLimit: {{ int64 $values.revisionHistoryLimit }}
  {{- with $values.prober.updateStrategy }}
  updateStrategy:
    {{- /* Helm merges maps, so the default's rollingUpdate would otherwise remain beside OnDelete. */}}
    {{- toYaml (eq (toString .type) "OnDelete" | ternary (omit . "rollingUpdate") .) | nindent 4 }}
  {{- end }}
  selector:
    matchLabels:
      {{- include "smoker.selectorLabels" . | nindent 6 }}
  template:
    {{- /* Without a mesh the admin port is the only port. */}}
    {{- include "smoker.podTemplate" (merge $pod (omit . "ports") (dict "host" (eq .network "host"))) | nindent 4 }}
{{- end -}}

{{/* The headless Service whose EndpointSlices list the probers and their nodes. Takes root, component, app, ports. */}}
{{- define "smoker.peerService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "smoker.metadata" . | nindent 2 }}
spec:
  clusterIP: None
  ipFamilyPolicy: {{ .root.Values.service.ipFamilyPolicy }}
  {{- with .root.Values.service.ipFamilies }}
  ipFamilies: {{ toJson . }}
  {{- end }}
  selector:
    {{- include "smoker.selectorLabels" . | nindent 4 }}
  ports:
    {{- range include "smoker.meshPorts" .ports | fromYamlArray }}
    - {name: {{ .name }}, port: {{ int64 .number }}, targetPort: {{ .name }}, protocol: {{ .protocol }}}
    {{- end }}
{{- end -}}
