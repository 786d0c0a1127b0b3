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
      { service = "tcp-echo", description = "Sends every byte on a TCP port back" },
      { service = "udp-echo", description = "Sends every datagram on a UDP port back" },
      { service = "http-echo", description = "Answers HTTP requests with OK or with their own body" },
      { service = "prober", description = "Probes the echo services and other probers over TCP, UDP and HTTP and reports each result" },
      { service = "hub", description = "Reads the results of all probers and names the layer, node or link at fault" },
    ]
  }
  target = item.service
  args = {
    SERVICE     = item.service
    DESCRIPTION = item.description
  }
  tags = ["${REGISTRY == "" ? "" : "${trimsuffix(REGISTRY, "/")}/"}smoker-${item.service}:${VERSION}"]
}
