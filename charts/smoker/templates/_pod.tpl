{{/*
The pod of every component, so that all of them meet the "restricted" Pod Security Standard and none is forgotten.
Takes root, component, key (of the values), app, values, env, fieldEnv, and, where it applies:
  args     for the image's entry point
  ports    list of {name, number, protocol}, beside the admin port
  adminPort  its number where it is not the value adminPort
  account  name of the service account whose token is mounted; without it none is, and the account is the default one
  host     whether it stands on the node's network
  serves   whether the admin port answers (all but the test pod, which ends)
  tmp      size limit of a volume at /tmp
  volumes, mounts  further volumes, and where they are mounted
  fsGroup  whether volumes belong to the group of the pod
  readyWithin  seconds that it may need to be ready, beside those that any program needs
*/}}
{{- define "smoker.podTemplate" -}}
metadata:
  labels:
    {{- $shared := .root.Values }}
    {{- include "smoker.podLabels" (set . "podLabels" (merge dict .values.podLabels $shared.commonPodLabels)) | nindent 4 }}
  {{- $scrape := include "smoker.scrapeAnnotations" . | fromYaml }}
  {{- with merge dict .values.podAnnotations $shared.commonPodAnnotations $scrape }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- include "smoker.podSpec" . | nindent 2 }}
{{- end -}}

{{- define "smoker.podSpec" -}}
{{- $shared := .root.Values -}}
{{- $values := .values -}}
{{- /* A Service called "tcp" in the namespace would otherwise set TCP_PORT=tcp://… in every pod. */ -}}
enableServiceLinks: false
automountServiceAccountToken: {{ not (not .account) }}
{{- /* Said in any case: left out in an upgrade, the API server would go on with the name it had (by the old field serviceAccount). */}}
serviceAccountName: {{ .account | default "default" }}
{{- if .host }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- /* The services let go of their connections within 5 s of SIGTERM, after they have lingered. */}}
terminationGracePeriodSeconds: {{ add 10 (ceil $shared.lingerSeconds) }}
{{- $context := $values.podSecurityContext | default $shared.podSecurityContext }}
{{- /* A volume belongs to the group by which the pod runs; where the cluster assigns the group, it assigns this one, too. */}}
{{- if and .fsGroup $context.runAsGroup }}
{{- $context = merge dict $context (dict "fsGroup" $context.runAsGroup) }}
{{- end }}
{{- with $context }}
{{- /* As JSON: in YAML a user's number, which Helm reads as a float, would become 1.00068e+09. */}}
securityContext: {{ toJson . }}
{{- end }}
{{- with include "smoker.pullSecrets" .root | fromJsonArray }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
containers:
  - name: {{ .component }}
    image: {{ include "smoker.image" (dict "root" .root "image" $values.image) | quote }}
    imagePullPolicy: {{ $shared.imagePullPolicy }}
    {{- with .args }}
    args: {{ toJson . }}
    {{- end }}
    env:
      {{- include "smoker.env" . | trim | nindent 6 }}
    {{- if .serves }}
    ports:
      {{- range .ports }}
      - {name: {{ .name }}, containerPort: {{ int64 .number }}, protocol: {{ .protocol }}}
      {{- end }}
      - {name: admin, containerPort: {{ int64 (.adminPort | default $shared.adminPort) }}, protocol: TCP}
    {{- /* Often, so that an installation ends when the pods are ready and not long after; then seldom, for each question
    costs a millisecond. */}}
    startupProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 1
      timeoutSeconds: 2
      failureThreshold: {{ add 60 (.readyWithin | default 0) }}
    livenessProbe:
      httpGet: {path: /livez, port: admin}
      periodSeconds: 10
      timeoutSeconds: 5
    readinessProbe:
      httpGet: {path: /readyz, port: admin}
      periodSeconds: 10
      timeoutSeconds: 2
    {{- end }}
    {{- with $values.resources }}
    resources:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with $values.containerSecurityContext | default $shared.containerSecurityContext }}
    securityContext: {{ toJson . }}
    {{- end }}
    {{- if or .tmp .mounts $values.extraVolumeMounts }}
    volumeMounts:
      {{- if .tmp }}
      - {name: tmp, mountPath: /tmp}
      {{- end }}
      {{- with concat (.mounts | default list) ($values.extraVolumeMounts | default list) }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
{{- if or .tmp .volumes $values.extraVolumes }}
volumes:
  {{- with .tmp }}
  - name: tmp
    emptyDir: {sizeLimit: {{ . | quote }}}
  {{- end }}
  {{- with concat (.volumes | default list) ($values.extraVolumes | default list) }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- range $field := list "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "priorityClassName" }}
{{- with get $values $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end -}}
