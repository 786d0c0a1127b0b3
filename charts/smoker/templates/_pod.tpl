{{/*
The pod of every component. One template for all, so that each meets the "restricted" Pod Security Standard.
Takes root, component, key (of the values), app, values, env, fieldEnv, and if they apply:
  args     for the image's entry point
  ports    list of {name, number, protocol}, without the admin port
  adminPort  number of the admin port, if it is not the value adminPort
  account  name of the service account whose token is mounted; without it the account is "default" and no token is mounted
  host     whether the pod uses the host network
  serves   whether the pod serves its admin port (all except the test pod, which runs only for a moment)
  plan     whether it reads the plan (_plan.tpl)
  tmp      size limit of a volume at /tmp
  volumes, mounts  additional volumes, and where they are mounted
  fsGroup  whether volumes belong to the group of the pod
  readyWithin  seconds that the pod may need to become ready, in addition to those that any program needs to start
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
{{- /* With service links, a Service named "tcp" in the namespace would set TCP_PORT=tcp://… in every pod. */ -}}
enableServiceLinks: false
automountServiceAccountToken: {{ not (not .account) }}
{{- /* Always set: if an upgrade leaves it out, the API server keeps the former name (in the old field serviceAccount). */}}
serviceAccountName: {{ .account | default "default" }}
{{- if .host }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- /* After SIGTERM a service lingers, then closes its connections within 5 s. */}}
terminationGracePeriodSeconds: {{ add 10 (ceil $shared.lingerSeconds) }}
{{- $context := $values.podSecurityContext | default $shared.podSecurityContext }}
{{- /* A volume belongs to the pod's group. Where the cluster assigns runAsGroup, it also assigns fsGroup. */}}
{{- if and .fsGroup $context.runAsGroup }}
{{- $context = merge dict $context (dict "fsGroup" $context.runAsGroup) }}
{{- end }}
{{- with $context }}
{{- /* As JSON: Helm reads a user's number as a float, which YAML would print as 1.00068e+09. */}}
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
    {{- /* The startup probe asks often, so that `helm install --wait` ends as soon as the pods are ready. Later probes ask seldom,
    because each request costs the pod a millisecond of CPU time. */}}
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
    {{- if or .tmp .plan .mounts $values.extraVolumeMounts }}
    volumeMounts:
      {{- if .plan }}
      {{- /* The whole folder: a file mounted by subPath would never change. */}}
      - {name: plan, mountPath: /etc/smoker/plan, readOnly: true}
      {{- end }}
      {{- if .tmp }}
      - {name: tmp, mountPath: /tmp}
      {{- end }}
      {{- with concat (.mounts | default list) ($values.extraVolumeMounts | default list) }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- end }}
{{- if or .tmp .plan .volumes $values.extraVolumes }}
volumes:
  {{- if .plan }}
  - name: plan
    configMap: {name: {{ include "smoker.name" (dict "root" .root "component" "plan") }}}
  {{- end }}
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

{{/* Spreads the pods of a component over nodes, as far as that is possible. Takes root, component. */}}
{{- define "smoker.spread" -}}
maxSkew: 1
topologyKey: kubernetes.io/hostname
whenUnsatisfiable: ScheduleAnyway
labelSelector:
  matchLabels:
    {{- include "smoker.selectorLabels" . | nindent 4 }}
{{- end -}}
