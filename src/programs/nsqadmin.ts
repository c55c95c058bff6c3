/** The program `nsqadmin`. */
import { Nsqadmin } from "../services/nsqadmin/Nsqadmin.ts"
import * as NsqadminOptions from "../services/nsqadmin/NsqadminOptions.ts"
import * as Main from "./main.ts"

Main.run({
  options: NsqadminOptions,
  layer: Nsqadmin.layer,
  failed: Nsqadmin.use((nsqadmin) => nsqadmin.failed),
  listeners: ["http"]
})
