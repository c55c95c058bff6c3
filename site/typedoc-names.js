/** A plugin of TypeDoc that names the modules of the library as programs import them. */
import { Converter, ReflectionKind } from "typedoc"

const imports = {
  "index": "effect-nsq",
  "broker": "effect-nsq/broker",
  "protocol": "effect-nsq/protocol",
  "services/admin": "effect-nsq/admin",
  "services/client": "effect-nsq/client",
  "services/persistence": "effect-nsq/persistence",
  "services/promise": "effect-nsq/promise",
  "testing": "effect-nsq/testing"
}

export const load = (app) => {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.getChildrenByKind(ReflectionKind.Module)) {
      const name = imports[module.name]
      if (name === undefined) throw new Error(`the module ${module.name} has no import in site/typedoc-names.js`)
      module.name = name
    }
  })
}
