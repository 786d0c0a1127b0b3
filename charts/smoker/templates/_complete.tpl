{{/*
Puts the chart's default where a value is missing. Helm deletes a key that is set to null before it renders, and an upgrade with
--reuse-values lacks every value that is new in the chart: both render as if the value were unset. Every template calls this first;
all templates share the values, so that the first call completes them for all.
*/}}
{{- define "smoker.complete" -}}
{{- if not (hasKey .Values "complete") -}}
{{- $_ := set .Values "complete" true -}}
{{- range $key, $default := .Files.Get "defaults.yaml" | fromYaml -}}
{{- $group := $.Values -}}
{{- range splitList "." $key | initial -}}
{{- if not (kindIs "map" (index $group .)) -}}{{ $_ := set $group . dict }}{{- end -}}
{{- $group = index $group . -}}
{{- end -}}
{{- $name := splitList "." $key | last -}}
{{- if kindIs "invalid" (index $group $name) -}}{{ $_ := set $group $name $default }}{{- end -}}
{{- include "smoker.withoutNulls" (dict "key" $key "value" (index $group $name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Deletes the keys that are null from a map of the user's. Within a list null is refused: Helm does not merge lists, so that it deletes
nothing there, and an empty selector of a NetworkPolicyPeer would select every pod. Takes key, value, listed (within a list).
*/}}
{{- define "smoker.withoutNulls" -}}
{{- if kindIs "map" .value -}}
{{- range $name, $inner := .value -}}
{{- $key := printf "%s.%s" $.key $name -}}
{{- if not (kindIs "invalid" $inner) -}}
{{- include "smoker.withoutNulls" (dict "key" $key "value" $inner "listed" $.listed) -}}
{{- else if $.listed -}}
{{- fail (printf "%s: null is not allowed within a list; leave it out or give it a value" $key) -}}
{{- else -}}
{{- $_ := unset $.value $name -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $index, $inner := .value -}}
{{- $key := printf "%s[%d]" $.key $index -}}
{{- if kindIs "invalid" $inner -}}
{{- fail (printf "%s: null is not allowed within a list; leave it out or give it a value" $key) -}}
{{- end -}}
{{- include "smoker.withoutNulls" (dict "key" $key "value" $inner "listed" true) -}}
{{- end -}}
{{- end -}}
{{- end -}}
