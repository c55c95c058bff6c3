/**
 * nsqd, bundled once for the tests of a file that start it often: a bundle starts four times as fast as the sources.
 */
import { Effect } from "effect"
import { afterAll, beforeAll } from "vitest"
import * as Daemon from "./daemon.ts"
import { buildNsqd, type Built } from "./ledger/build.ts"

export interface Bundled {
  /** The command that runs it. Available only within tests. */
  readonly command: () => ReadonlyArray<string>
  readonly start: (dataPath: string, flags?: ReadonlyArray<string>) => ReturnType<typeof Daemon.start>
}

/** Registers the hooks that build and remove the bundle. Call it inside `describe`. */
export const bundledNsqd = (): Bundled => {
  let built: Built | undefined
  beforeAll(async () => void (built = await buildNsqd()))
  afterAll(() => built?.remove())
  const command = (): ReadonlyArray<string> => {
    if (built === undefined) throw new Error("nsqd has not been bundled yet")
    return built.command
  }
  return {
    command,
    start: (dataPath, flags = []) => Effect.suspend(() => Daemon.start(dataPath, flags, { command: command() }))
  }
}
