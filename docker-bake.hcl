# docker buildx bake            builds the five images for this machine
# docker buildx bake --print    shows what would be built
# VERSION=1.2.3 REGISTRY=registry.example/team PLATFORMS=linux/amd64,linux/arm64 docker buildx bake --push

# Registry and path before the images' names; empty for local images
variable "REGISTRY" {
  default = ""
}

# The images' tag and the version in their labels
variable "VERSION" {
  default = "dev"
}

# Platforms, comma-separated; empty for this machine's. Released for linux/amd64,linux/arm64
variable "PLATFORMS" {
  default = ""
}

# The base: any image with Python 3.11 or newer, Debian or Alpine
variable "PYTHON_IMAGE" {
  default = "python:3.13-slim"
}

group "default" {
  targets = ["service"]
}

target "_common" {
  context    = "."
  dockerfile = "Dockerfile"
  platforms  = PLATFORMS == "" ? null : split(",", PLATFORMS)
  args = {
    PYTHON_IMAGE = PYTHON_IMAGE
    VERSION      = VERSION
  }
}

target "service" {
  name     = item.service
  inherits = ["_common"]
  matrix = {
    item = [
      { service = "tcp-echo", description = "Answers every byte on a TCP port with itself" },
      { service = "udp-echo", description = "Answers every datagram on a UDP port with itself" },
      { service = "http-echo", description = "Answers HTTP requests with OK or with their own body" },
      { service = "prober", description = "Probes the echo services over TCP, UDP and HTTP and says what it found" },
      { service = "hub", description = "Reads what all probers know and says which layer, node or link is at fault" },
    ]
  }
  target = item.service
  args = {
    SERVICE     = item.service
    DESCRIPTION = item.description
  }
  tags = ["${REGISTRY == "" ? "" : "${trimsuffix(REGISTRY, "/")}/"}smoker-${item.service}:${VERSION}"]
}
