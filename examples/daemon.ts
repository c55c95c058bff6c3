/**
 * The complete daemon nsqd inside a program: listeners, data directory, HTTP API. It stops in order with the program.
 *
 * Run it with `node examples/daemon.ts` after `npm run build`, in a directory for its data.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Effect, Layer } from "effect"
import { Nsqd } from "effect-nsq"

export const Daemon = Nsqd.layerWith({
  tcpAddress: "127.0.0.1:4150",
  httpAddress: "127.0.0.1:4151",
  memQueueSize: 100_000
})

if (import.meta.main) NodeRuntime.runMain(Layer.launch(Daemon).pipe(Effect.tapError(Effect.logError)))
