# What a release adds to docker-bake.hcl: `make release` bakes with both files and sets the variables.
# docker buildx bake -f docker-bake.hcl -f docker-bake.release.hcl --print   shows what would be built and pushed

# Address of the repository, for the label of each image
variable "SOURCE_URL" {
  default = ""
}

# Commit that is released
variable "REVISION" {
  default = ""
}

# Time of that commit, in seconds since 1970: every file in the images has this date
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

# SBOM and provenance for each image; "false" for a builder without attestations, such as Docker's own without the containerd store
variable "ATTEST" {
  default = "true"
}

variable "PYTHON_IMAGE" {
  default = ""
}

target "_common" {
  labels = {
    "org.opencontainers.image.source"      = SOURCE_URL
    "org.opencontainers.image.revision"    = REVISION
    "org.opencontainers.image.created"     = timeadd("1970-01-01T00:00:00Z", "${SOURCE_DATE_EPOCH}s")
    "org.opencontainers.image.base.name"   = split("@", PYTHON_IMAGE)[0]
    "org.opencontainers.image.base.digest" = try(split("@", PYTHON_IMAGE)[1], "")
  }
  args = {
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
  attest = ATTEST == "true" ? ["type=sbom", "type=provenance,mode=max"] : []
  output = ["type=registry,rewrite-timestamp=true"]
}
