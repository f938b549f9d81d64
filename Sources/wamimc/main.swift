print("wamimc")
