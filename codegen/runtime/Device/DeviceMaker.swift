/// Makes the device that a program runs on.
package struct DeviceMaker: Sendable {
  /// What commands make their devices with; a task may have a maker of its own.
  @TaskLocal package static var current = DeviceMaker { (program, accumulates, threads) throws(TrainerError) in
    try CPUDevice(program, accumulates: accumulates, threads: threads)
  }

  /// Makes a device for `program`, whose schedules use the accumulators where `accumulates` says so, with `threads` threads of this
  /// machine.
  package let make: @Sendable (_ program: Program, _ accumulates: Bool, _ threads: Int) throws(TrainerError) -> any Device

  package init(make: @escaping @Sendable (Program, Bool, Int) throws(TrainerError) -> any Device) {
    self.make = make
  }
}
