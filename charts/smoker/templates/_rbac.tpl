{{/*
A service account with a Role in its own namespace: it may read EndpointSlices, and what additional rules allow. Takes root,
component, app, values, rules (optional).
*/}}
{{- define "smoker.rbac" -}}
{{- $about := include "smoker.metadata" . -}}
{{- $name := include "smoker.name" . -}}
{{- $account := include "smoker.account" . -}}
{{- if .values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- $named := merge (dict "name" $account "annotations" .values.serviceAccount.annotations) . }}
  {{- include "smoker.metadata" $named | nindent 2 }}
automountServiceAccountToken: false
{{- end }}
{{- if .root.Values.rbac.create }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- $about | nindent 2 }}
rules:
  - apiGroups: [discovery.k8s.io]
    resources: [endpointslices]
    verbs: [list, watch]
  {{- with .rules }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- $about | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ $name }}}
subjects:
  - {kind: ServiceAccount, name: {{ $account }}, namespace: {{ .root.Release.Namespace | quote }}}
{{- end }}
{{- end -}}
