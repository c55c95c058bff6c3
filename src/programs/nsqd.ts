/** The program `nsqd`. */
import { Layer } from "effect"
import { Nsqd } from "../services/nsqd/Nsqd.ts"
import * as NsqdOptions from "../services/nsqd/options/NsqdOptions.ts"
import { RuntimeOptions } from "../services/nsqd/options/RuntimeOptions.ts"
import * as Main from "./main.ts"

Main.run({
  options: NsqdOptions,
  layer: Nsqd.layer.pipe(Layer.provide(RuntimeOptions.layer)),
  reload: Nsqd.use((nsqd) => nsqd.reload),
  failed: Nsqd.use((nsqd) => nsqd.failed)
})
