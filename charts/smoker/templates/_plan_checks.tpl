{{/* Checks of the plan: what a prober refuses in it and the schema cannot see, and the keys that have a value of the chart. */}}

{{/* Refuses a key of `prober.config` that other objects follow too, because these follow its value; and what the schema cannot see in targets. */}}
{{- define "smoker.planChecks" -}}
{{- $config := .Values.prober.config -}}
{{- range $key, $use := dict
  "interval" "prober.intervalSeconds, which also sets the windows of the alerts"
  "timeout" "prober.timeoutSeconds, which also sets the windows of the alerts"
  "service.host" "prober.serverHost, which also decides whether the alert SmokerTargetGone exists"
  "service.ports" "tcpEcho.port, udpEcho.port, udpEcho.stampPort and httpEcho.port, which also set the Service"
  "bandwidth.enabled" "bandwidth.enabled, which also makes the Lease and opens the port"
  "dns.name" "dns.name, which also makes the Role for the pods of the DNS"
  "dns.replicas.namespace" "dns.replicas.namespace, which also makes the Role for the pods of the DNS"
  "dns.replicas.service" "dns.replicas.service, which also makes the Role for the pods of the DNS"
  "apiServer" "prober.probeApiServer, which also needs mesh.enabled: without a mesh no prober has the API server's CA" -}}
{{- $group := $config -}}
{{- range splitList "." $key | initial -}}{{ $group = get $group . | default dict }}{{- end -}}
{{- if hasKey $group (splitList "." $key | last) -}}
{{- fail (printf "prober.config.%s: use %s" $key $use) -}}
{{- end -}}
{{- end -}}
{{- include "smoker.targetNameChecks" . -}}
{{- include "smoker.durationChecks" . -}}
{{- end -}}

{{/* Refuses more targets than a prober takes, and a name that two of them have. */}}
{{- define "smoker.targetNameChecks" -}}
{{- $most := int (.Files.Get "probes.yaml" | fromYaml).mostTargets -}}
{{- if gt (len (include "smoker.targets" . | fromJsonArray)) $most -}}
{{- fail (printf "prober.config.targets: with prober.targets there are more than %d targets" $most) -}}
{{- end -}}
{{- $names := list -}}
{{- range include "smoker.targets" . | fromJsonArray -}}
{{- $name := include "smoker.targetName" (dict "root" $ "target" .) -}}
{{- if and $name (has $name $names) -}}
{{- fail (printf "prober.config.targets: two targets have the name %s, here or in prober.targets; each needs a name of its own" $name) -}}
{{- end -}}
{{- $names = append $names $name -}}
{{- end -}}
{{- end -}}

{{/* The name of a target: its own, or HOST:PORT as in the prober. Empty without both: the prober then finds the host itself. Takes root, target. */}}
{{- define "smoker.targetName" -}}
{{- if .target.name -}}
{{- .target.name -}}
{{- else -}}
{{- $host := .target.host | default "" -}}
{{- with .target.url }}{{ $host = regexFind "^(\\[[^\\]]*\\]|[^:/?]*)" (regexReplaceAll "^[a-z]+://" . "") }}{{ end -}}
{{- if and (contains ":" $host) (not (hasPrefix "[" $host)) }}{{ $host = printf "[%s]" $host }}{{ end -}}
{{- $ports := include "smoker.targetPorts" (dict "root" .root "targets" (list .target)) | fromYamlArray -}}
{{- if and $host $ports }}{{ printf "%s:%d" (lower $host) (int64 (first $ports).port) }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* Refuses durations out of their limits. The schema knows those of numbers; this is for text such as 50ms. */}}
{{- define "smoker.durationChecks" -}}
{{- $known := (.Files.Get "probes.yaml" | fromYaml).durations -}}
{{- include "smoker.durationsWithin" (dict "at" "prober.config" "group" .Values.prober.config "known" $known.plan) -}}
{{- range include "smoker.targets" . | fromJsonArray -}}
{{- $at := printf "target %s" (include "smoker.targetName" (dict "root" $ "target" .) | default "without a name") -}}
{{- include "smoker.durationsWithin" (dict "at" $at "group" . "known" $known.targets) -}}
{{- end -}}
{{- end -}}

{{/* Takes at (for the message), group (a map), known (the limits by key). */}}
{{- define "smoker.durationsWithin" -}}
{{- $units := dict "ms" 1 "" 1000 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- range $key, $limits := .known -}}
{{- $group := $.group -}}
{{- range splitList "." $key | initial -}}{{ $group = get $group . | default dict }}{{- end -}}
{{- $text := get $group (splitList "." $key | last) -}}
{{- if and (kindIs "string" $text) $text -}}
{{- $seconds := divf (mulf (regexFind "^[0-9.]+" $text) (get $units (regexFind "[a-z]*$" $text))) 1000 -}}
{{- if or (lt $seconds (float64 $limits.least)) (gt $seconds (float64 $limits.most)) -}}
{{- fail (printf "%s: %s: %s is not a duration %s" $.at $key $text $limits.limits) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
