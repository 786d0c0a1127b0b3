{{/* The Deployment of an echo service. Takes root, component, key, protocol, env, and tmp where it applies. */}}
{{- define "smoker.echo" -}}
{{- $values := get .root.Values .key -}}
{{- $pod := merge (dict "app" "smoker-server" "values" $values "serves" true) . -}}
{{- $port := dict "name" .component "number" $values.port "protocol" .protocol -}}
{{- $_ := set $pod "ports" (prepend (.extraPorts | default list) $port) -}}
{{- /* A single replica does not linger: no other pod can take over, and lingering would only hide the gap. */}}
{{- $linger := gt (int64 $values.replicas) 1 | ternary .root.Values.lingerSeconds 0 -}}
{{- $_ := set $pod "env" (merge (dict "LOG_RATE" $values.log.rate "LINGER" $linger) .env) -}}
{{- if not $values.topologySpreadConstraints -}}
{{- $_ := set $pod "values" (merge (dict "topologySpreadConstraints" (list (include "smoker.spread" . | fromYaml))) $values) -}}
{{- end -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "smoker.metadata" (dict "root" .root "component" .component "app" "smoker-server") | nindent 2 }}
spec:
  replicas: {{ int64 $values.replicas }}
  revisionHistoryLimit: {{ int64 .root.Values.revisionHistoryLimit }}
  selector:
    matchLabels:
      {{- include "smoker.selectorLabels" . | nindent 6 }}
  template:
    {{- include "smoker.podTemplate" $pod | nindent 4 }}
{{- if gt (int64 $values.replicas) 1 }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "smoker.metadata" (dict "root" .root "component" .component "app" "smoker-server") | nindent 2 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "smoker.selectorLabels" . | nindent 6 }}
{{- end }}
{{- end -}}
