{{/* The Deployment of an echo service. Takes root, component, key, protocol, env, and tmp where it applies. */}}
{{- define "smoker.echo" -}}
{{- $values := get .root.Values .key -}}
{{- $pod := merge (dict "app" "smoker-server" "values" $values "serves" true) . -}}
{{- $_ := set $pod "port" (dict "number" $values.port "protocol" .protocol) -}}
{{- $_ := set $pod "env" (merge (dict "LOG_RATE" $values.log.rate) .env) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "smoker.metadata" (dict "root" .root "component" .component "app" "smoker-server") | nindent 2 }}
spec:
  replicas: {{ int64 $values.replicas }}
  selector:
    matchLabels:
      {{- include "smoker.selectorLabels" . | nindent 6 }}
  template:
    {{- include "smoker.podTemplate" $pod | nindent 4 }}
{{- end -}}
