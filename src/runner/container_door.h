#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <thread>

#include "base/error.h"
#include "io/descriptor.h"

namespace weir::runner {

// Makes a port of this machine's loopback reachable under the same address in a container, which has a loopback of its
// own: connections there are passed on. So the server's address, which steps are told, is true inside as outside, and
// the server need not listen for anybody else.
class ContainerDoor {
 public:
  // `pid`: any process in the container. Nothing (null) if it shares this machine's network anyway.
  static Result<std::unique_ptr<ContainerDoor>> open(pid_t pid, std::uint16_t port);

  ~ContainerDoor();
  ContainerDoor(const ContainerDoor&) = delete;
  ContainerDoor& operator=(const ContainerDoor&) = delete;

 private:
  ContainerDoor(io::Descriptor listener, io::Descriptor stop, std::uint16_t port);

  io::Descriptor stop_;
  std::jthread thread_;
};

// The port of an address like "http://127.0.0.1:8080" if its host is this machine's loopback; 0 if it is not.
std::uint16_t loopback_port(std::string_view url);

}  // namespace weir::runner
