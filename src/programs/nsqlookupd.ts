/** The program `nsqlookupd`. */
import { Nsqlookupd } from "../services/nsqlookupd/Nsqlookupd.ts"
import * as NsqlookupdOptions from "../services/nsqlookupd/NsqlookupdOptions.ts"
import * as Main from "./main.ts"

Main.run({
  options: NsqlookupdOptions,
  layer: Nsqlookupd.layer,
  failed: Nsqlookupd.use((nsqlookupd) => nsqlookupd.failed),
  listeners: ["tcp", "http"]
})
