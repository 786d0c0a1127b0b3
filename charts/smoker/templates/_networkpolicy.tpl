{{/* Selects the pods that probe: the probers and the test pod of this release. */}}
{{- define "smoker.proberSelector" -}}
matchLabels:
  {{- include "smoker.releaseLabels" . | nindent 2 }}
matchExpressions:
  - {key: app.kubernetes.io/component, operator: In, values: [prober, host, test]}
{{- end -}}

{{/*
The echo ports by number, because not every network plugin supports port names in egress rules. Pod and Service use the same number,
so the rule matches before and after the Service's address is translated.
*/}}
{{- define "smoker.echoPorts" -}}
- {protocol: TCP, port: {{ int64 .Values.tcpEcho.port }}}
- {protocol: UDP, port: {{ int64 .Values.udpEcho.port }}}
- {protocol: UDP, port: {{ int64 .Values.udpEcho.stampPort }}}
- {protocol: TCP, port: {{ int64 .Values.httpEcho.port }}}
{{- end -}}

{{/*
Whether ranges contain every address of both families: not empty if so. A rule for any address has no list of peers at all, because in
Cilium no ipBlock, however wide, matches a node or the API server. Takes the ranges.
*/}}
{{- define "smoker.anywhere" -}}
{{- $all := join " " . -}}
{{- if and (regexMatch "(^| )[0-9.]+/0( |$)" $all) (regexMatch "(^| )[^ ]*:[^ ]*/0( |$)" $all) }}yes{{ end -}}
{{- end -}}

{{- define "smoker.ipBlocks" -}}
{{- range . }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end -}}

{{/*
Clients that may connect to an echo port: the probers in pods, the probers in the host network (by the nodes' addresses, which no
selector matches), and others. Empty if all clients may. Takes root, others (optional).
*/}}
{{- define "smoker.fromProbers" -}}
{{- $values := .root.Values -}}
{{- $cidrs := $values.networkPolicy.nodeCidrs -}}
{{- if not (and $values.hostNetwork.enabled (include "smoker.anywhere" $cidrs)) -}}
from:
  - podSelector:
      {{- include "smoker.proberSelector" .root | nindent 6 }}
  {{- if $values.hostNetwork.enabled }}
  {{- include "smoker.ipBlocks" $cidrs | trim | nindent 2 }}
  {{- end }}
  {{- with .others }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}
{{- end -}}

{{/* Destinations by address ranges; empty if every address is allowed. Takes the ranges. */}}
{{- define "smoker.toRanges" -}}
{{- if not (include "smoker.anywhere" .) -}}
to:
  {{- include "smoker.ipBlocks" . | trim | nindent 2 }}
{{- end -}}
{{- end -}}

{{/* The ports of a prober's own echoes, by number. Takes mesh ports. */}}
{{- define "smoker.peerPorts" -}}
{{- range include "smoker.meshPorts" . | fromYamlArray }}
- {protocol: {{ .protocol }}, port: {{ int64 .number }}}
{{- end }}
{{- end -}}

{{/* Who may use an admin port: the release's own readers, and adminFrom. A prober's state names every node and its paths. */}}
{{- define "smoker.adminIngress" -}}
- ports:
    - {protocol: TCP, port: {{ int64 .Values.adminPort }}}
  from:
    {{- with .Values.networkPolicy.adminFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- /* helm test, and `once --mesh` in a prober, read the probers' states. */}}
    - podSelector:
        {{- include "smoker.proberSelector" . | nindent 8 }}
    {{- if include "smoker.hub" . }}
    {{- /* The hub reads the state of every prober. */}}
    - podSelector:
        matchLabels:
          {{- include "smoker.selectorLabels" (dict "root" . "component" "hub") | nindent 10 }}
    {{- end }}
    {{- /* A range that contains every address would make adminFrom useless. */}}
    {{- if and .Values.hostNetwork.enabled (not (include "smoker.anywhere" .Values.networkPolicy.nodeCidrs)) }}
    {{- include "smoker.ipBlocks" .Values.networkPolicy.nodeCidrs | trim | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The ports of these URLs of pages. */}}
{{- define "smoker.urlPorts" -}}
{{- range . }}
{{- $url := urlParse . }}
- {{ regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) | default (ternary 443 80 (eq $url.scheme "https")) }}
{{- end }}
{{- end -}}

{{/* The UDP port to which a trace goes after a target has failed; empty without traces. A trace of a peer goes to its echo port. */}}
{{- define "smoker.tracePort" -}}
{{- if (include "smoker.plan" . | fromYaml).trace }}{{ int64 (.Files.Get "probes.yaml" | fromYaml).probes.trace.port }}{{ end -}}
{{- end -}}

{{/*
The ports of these targets, entries of the plan, as a YAML list of {port, protocol}. A DNS probe over UDP may go on over TCP. A target without a
port has that of the protocol over TLS if its own options say `tls: true` or `transport: tls`, or the query of its URL says `transport=tls`, or
the options of its probe under `prober.config.probes` do. Those cannot say `tls: true` of a URL, whose scheme says it.
*/}}
{{- define "smoker.targetPorts" -}}
{{- $known := .root.Files.Get "probes.yaml" | fromYaml -}}
{{- $defaults := (.root.Values.prober.config | default dict).probes | default dict -}}
{{- range .targets }}
{{- $of := dict -}}
{{- $port := .port -}}
{{- $probe := .probe -}}
{{- $asked := "" -}}
{{- if .url -}}
{{- /* Without the zone of [fe80::1%eth0], which urlParse cannot read. */}}
{{- $url := urlParse (regexReplaceAll "%[^\\]/]*\\]" .url "]") -}}
{{- $of = get $known.schemes $url.scheme | default dict -}}
{{- $probe = $of.probe -}}
{{- $port = regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host) -}}
{{- $asked = regexFind "(tls|tcp|udp)$" (regexFind "(^|&)transport=(tls|tcp|udp)" ($url.query | default "")) -}}
{{- else -}}
{{- $of = get $known.probes .probe | default dict -}}
{{- end -}}
{{- $own := get . ($probe | default "") | default dict -}}
{{- $common := get $defaults ($probe | default "") | default dict -}}
{{- $tls := $own.tls -}}
{{- if and (kindIs "invalid" $tls) (not .url) }}{{ $tls = $common.tls }}{{ end -}}
{{- $transport := and $of.chosen ($own.transport | default $asked | default $common.transport) | default "" -}}
{{- $tls = or $tls (eq $transport "tls") -}}
{{- $udp := and (eq $of.transport "udp") (not (has $transport (list "tcp" "tls"))) -}}
{{- with $port | default (and $tls $of.tlsPort) | default $of.port }}
{{- if or (eq $of.transport "tcp") $of.chosen }}
- {port: {{ int64 . }}, protocol: TCP}
{{- end }}
{{- if $udp }}
- {port: {{ int64 . }}, protocol: UDP}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
