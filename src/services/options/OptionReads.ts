/**
 * Which options the pieces of a daemon read. An option that is set and that no piece reads would be ignored silently: a certificate
 * without TLS, or a data directory with storage in memory. The daemon refuses it at start.
 */
import { Context, Effect, Layer } from "effect"
import { type OptionsError, refusedValue } from "./OptionsError.ts"
import * as OptionTable from "./OptionTable.ts"

/** The options that the pieces of one daemon have read so far. */
export class Reads<Name> {
  private readonly names = new Set<Name>()

  add(names: Iterable<Name>): void {
    for (const name of names) this.names.add(name)
  }
  has(name: Name): boolean {
    return this.names.has(name)
  }
}

/** The options of a daemon. */
export interface Definition<Options> {
  readonly program: string
  readonly table: OptionTable.OptionTable<Options>
  readonly defaults: () => Options
  readonly reference: Context.Reference<Options>
  /** The options that belong to pieces which can be left out or replaced. Every other option is always read. */
  readonly optional: Iterable<keyof Options>
}

/** Records what the pieces of a daemon read. */
export interface OptionReads<Options> {
  /** Gives each daemon its own record. Without it, reads are recorded and not checked. */
  readonly layer: Layer.Layer<never>
  /** The record of the daemon around the caller. */
  readonly current: Effect.Effect<Reads<keyof Options>>
  /** Returns the options, and records that a piece reads those with these names. */
  readonly read: (...names: ReadonlyArray<keyof Options>) => Effect.Effect<Options>
  /** Fails for the first option that differs from its default and that no piece has read. */
  readonly check: Effect.Effect<void, OptionsError>
}

/** Returns the record for the options of a daemon. */
export const make = <Options extends object>(
  { defaults, optional, program, reference, table }: Definition<Options>
): OptionReads<Options> => {
  const isOptional = new Set(optional)
  const record = Context.Reference<Reads<keyof Options>>(`effect-nsq/options/${program}/OptionReads`, {
    defaultValue: () => new Reads()
  })
  return {
    layer: Layer.fresh(Layer.sync(record, () => new Reads())),
    current: Effect.map(record, (reads) => reads),
    read: (...names) =>
      Effect.flatMap(record, (reads) =>
        Effect.map(reference, (options) => {
          reads.add(names)
          return options
        })),
    check: Effect.gen(function*() {
      const reads = yield* record
      const unread = OptionTable.changedFields(table, yield* reference, defaults())
        .find((name) => isOptional.has(name) && !reads.has(name))
      if (unread === undefined) return
      return yield* refusedValue(
        `${String(unread)} (--${table[unread].flag}) has no effect: no part of this ${program} reads it; ` +
          "remove it, or add the part"
      )
    })
  }
}
