/** Interim. */
export interface NsqdMetadata {
  readonly topics: ReadonlyArray<{ readonly name: string; readonly paused: boolean; readonly channels: ReadonlyArray<{ readonly name: string; readonly paused: boolean }> | null }> | null
  readonly version: string
}
