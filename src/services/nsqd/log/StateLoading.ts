/**
 * Reads what the state files of a log contain at the start.
 */
import { Effect } from "effect"
import * as Path from "node:path"
import { parseLogFileName, stateFileName } from "../../../protocol/storage/LogFiles.ts"
import { decodeLogState } from "../../../protocol/storage/LogState.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { RecoveredState } from "./RecoveredState.ts"
import { readStateBlocks } from "./StateBlocks.ts"

/** The state files of a log. */
export interface StateGenerations {
  /** All generations, oldest first. */
  readonly all: ReadonlyArray<number>
  /** The newest generation with a complete checkpoint; without one, the oldest generation, or 0. */
  readonly base: number
  /** Where changes can be appended to the newest file; `undefined` if it is incomplete or damaged. */
  readonly tail?: StateTail | undefined
}

/** The end of a state file, in bytes. */
export interface StateTail {
  readonly size: number
  /** Where the checkpoint ends. */
  readonly checkpointSize: number
}

/** What the state files of a log contain. */
export interface LoadedState {
  readonly state: RecoveredState
  readonly generations: StateGenerations
  /** What cannot be read of the files. */
  readonly damage: ReadonlyArray<string>
  /** Whether changes are missing that were recorded: more than the incomplete end that a crash leaves. */
  readonly isIncomplete: boolean
}

/** Reads the state that the files of `names` contain. */
export const loadState = (
  disk: Disk["Service"],
  directory: string,
  names: ReadonlyArray<string>
): Effect.Effect<LoadedState, DiskError> =>
  Effect.gen(function*() {
    const numbers = names.flatMap((name) => {
      const file = parseLogFileName(name)
      return file?.kind === "state" ? [file.number] : []
    }).sort((a, b) => b - a)
    const pathOf = (generation: number): string => Path.join(directory, stateFileName(generation))
    let damage: ReadonlyArray<string> = []
    let isDamaged = false
    let state = new RecoveredState()
    const read = Effect.fnUntraced(function*(generation: number) {
      const path = pathOf(generation)
      const blocks = yield* readStateBlocks(disk, path, ({ changes }) => decodeLogState(changes, state))
      const { hasStart, holes, size } = blocks
      damage = [
        ...damage,
        ...hasStart ? [] : [`${path} has no valid checkpoint`],
        ...holes.map(({ from, to }) => `${path} cannot be read from ${from} to ${to}`)
      ]
      isDamaged ||= !hasStart || holes.some(({ to }) => to < size)
      return blocks
    })
    let used = 0
    let hasCheckpoint = false
    let tail: StateTail | undefined
    for (const generation of numbers) {
      used++
      const { checkpointSize, holes, isComplete, size } = yield* read(generation)
      hasCheckpoint = isComplete
      if (used === 1 && isComplete && holes.length === 0) tail = { size, checkpointSize }
      if (hasCheckpoint) break
    }
    // Files without a complete checkpoint have changes of what the files before contain.
    if (used > 1) {
      state = new RecoveredState()
      damage = []
      for (const generation of numbers.slice(0, used).toReversed()) yield* read(generation)
    }
    return {
      state,
      generations: { all: numbers.toReversed(), base: numbers[used - 1] ?? 0, tail },
      damage,
      isIncomplete: numbers.length > 0 && (!hasCheckpoint || isDamaged)
    }
  })
