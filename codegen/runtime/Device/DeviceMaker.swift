/// Makes the device that a program runs on.
package struct DeviceMaker: Sendable {
  /// What commands make their devices with; a task may have a maker of its own.
  @TaskLocal package static var current = DeviceMaker { (program, request) throws(TrainerError) in
    if program.deviceCode != nil { return try CUDADevice(program, request) }
    guard request.number == 0 else {
      throw TrainerError("--device chooses a GPU, and this program computes on this machine's processor; leave it out")
    }
    return try CPUDevice(program, gradients: request.gradients, threads: request.threads)
  }

  /// Makes a device for a program, as the request says.
  package let make: @Sendable (_ program: Program, _ request: DeviceRequest) throws(TrainerError) -> any Device

  package init(make: @escaping @Sendable (Program, DeviceRequest) throws(TrainerError) -> any Device) {
    self.make = make
  }
}
