/** A growable typed array. Items that were never set are 0. */
export class Column<A extends Uint8Array | Uint16Array | Uint32Array | Float64Array> {
  private values: A
  private readonly make: (length: number) => A

  constructor(make: (length: number) => A) {
    this.make = make
    this.values = make(1 << 16)
  }

  get(index: number): number {
    return this.values[index] ?? 0
  }

  set(index: number, value: number): void {
    if (index >= this.values.length) {
      const larger = this.make(Math.max(index + 1, this.values.length * 2))
      larger.set(this.values)
      this.values = larger
    }
    this.values[index] = value
  }
}
