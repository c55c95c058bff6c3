/** The files of a history that an earlier nsqadmin would have written. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, FileSystem } from "effect"
import { HistoryFiles } from "../../../src/services/nsqadmin/HistoryFiles.ts"
import * as Format from "../../../src/services/nsqadmin/HistoryFormat.ts"

/** A directory for a history, which the Scope removes. */
export const historyDirectory = FileSystem.FileSystem.use((files) => files.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeServices.layer)
)

const rates = { rate: 3, finish_rate: 1, requeue_rate: 0, timeout_rate: 0 }

/** Writes the backlogs of topics at a Unix time in milliseconds. The directory must not have a running nsqadmin. */
export const record = (directory: string, at: number, backlogs: { readonly [topic: string]: number }) =>
  Effect.gen(function*() {
    const files = new HistoryFiles(directory)
    const points = new Map(
      Object.entries(backlogs).map(([topic, backlog]) => [topic, { point: { backlog, ...rates } }])
    )
    for (const tier of Format.tiers) {
      yield* files.write(tier, { start: Math.floor(at / tier.millis) * tier.millis, points })
    }
    yield* files.close
  })
