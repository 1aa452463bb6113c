#include "runner/container_image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ContainerImage, WithoutARegistryIsDockerHubs) {
  EXPECT_EQ(whole_image_name("alpine"), "docker.io/library/alpine");
  EXPECT_EQ(whole_image_name("python:3.12-slim"), "docker.io/library/python:3.12-slim");
  EXPECT_EQ(whole_image_name("bitnami/redis@sha256:00"), "docker.io/bitnami/redis@sha256:00");
  EXPECT_EQ(whole_image_name(""), "");
  for (const char* whole :
       {"ghcr.io/a/b:1", "localhost/mine", "localhost:5000/mine", "registry:5000/a", "docker.io/a/b"}) {
    EXPECT_EQ(whole_image_name(whole), whole);
  }
}

TEST(ContainerImage, ADockerfileNamesThem) {
  EXPECT_THAT(short_images_of(R"(# FROM comment
ARG VERSION=3.12
ARG BASE="node:${VERSION}"
from --platform=linux/amd64 golang:1.22 AS Builder
FROM python:$VERSION
FROM ${BASE}
FROM ${OTHER:-debian:12}
FROM builder
FROM scratch
FROM ghcr.io/a/b
FROM $UNKNOWN
COPY --chown=1 --from=busybox:1 /bin/sh /sh
COPY --from=builder /a /b
COPY --from=0 /a /b
RUN --mount=type=bind,from=alpine,target=/x true
)"),
              ElementsAre(ShortImage{"golang:1.22", "golang:1.22"}, ShortImage{"python:$VERSION", "python:3.12"},
                          ShortImage{"${BASE}", "node:3.12"}, ShortImage{"${OTHER:-debian:12}", "debian:12"},
                          ShortImage{"busybox:1", "busybox:1"}, ShortImage{"alpine", "alpine"}));
  EXPECT_THAT(short_images_of(""), IsEmpty());
  EXPECT_THAT(short_images_of("FROM"), IsEmpty());
  EXPECT_THAT(short_images_of("FROM ${"), IsEmpty());
}

}  // namespace
}  // namespace weir::runner
