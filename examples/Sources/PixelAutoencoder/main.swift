// Builds the model, compiles it into the executable named on the command line, and says how to train it.
import WaMIM

let path = CommandLine.arguments.dropFirst().first ?? "train"
do {
  try Compiler(target: .cpu).build(PixelAutoencoder().model(), to: path)
  print("built \(path); now: \(path) fit --data synthetic --epochs 4 --out run")
} catch {
  print("\(error)")
}
