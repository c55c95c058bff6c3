/** The form of a row of the benchmark. */

/** A figure of a row. */
export interface Measure {
  readonly name: string
  readonly unit: "msg/s" | "reg/s" | "ms" | "bytes" | "x"
  readonly better: "higher" | "lower"
}

/** A row. */
export interface Row {
  readonly name: string
  /** A name for `--only` that several rows share. */
  readonly group?: string
  readonly measures: ReadonlyArray<Measure>
  /** Runs once. Returns the figures in the order of the measures. */
  readonly run: (command: ReadonlyArray<string>, seconds: number) => Promise<ReadonlyArray<number>>
}
