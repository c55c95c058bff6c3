/** The program `nsqd`. */
import { Nsqd } from "../services/nsqd/Nsqd.ts"
import * as NsqdOptions from "../services/nsqd/options/NsqdOptions.ts"
import * as Main from "./main.ts"

Main.run({
  options: NsqdOptions,
  layer: Nsqd.layer,
  reload: Nsqd.use((nsqd) => nsqd.reload),
  beforeTerm: Nsqd.use((nsqd) => nsqd.beforeTerm),
  failed: Nsqd.use((nsqd) => nsqd.failed),
  listeners: ["tcp", "http", "https"]
})
