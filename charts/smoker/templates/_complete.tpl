{{/*
Sets every missing value to the chart's default. A value is missing if it was set to null (Helm deletes such keys before it renders)
or if it is new in the chart and the upgrade used --reuse-values. Every template calls this first. All templates share the values, so
the first call completes them for all.
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
Deletes null keys from a map of the user's. Within a list null is an error: Helm does not merge lists, so it deletes nothing there,
and an empty selector of a NetworkPolicyPeer would select every pod. Takes key, value, listed (within a list).
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
