/** The Helm chart, the plain manifests of Kubernetes, the Dockerfile and the compose file. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Yaml } from "effect/encoding"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { flagsOf } from "../../src/programs/programFlags.ts"
import { packageVersion } from "../../src/services/core/Version.ts"
import * as NsqadminTable from "../../src/services/nsqadmin/NsqadminTable.ts"
import * as NsqdTable from "../../src/services/nsqd/options/NsqdTable.ts"
import * as NsqlookupdTable from "../../src/services/nsqlookupd/NsqlookupdTable.ts"
import { description, documents, render, templates } from "./chart.ts"

const packaging = Path.resolve(import.meta.dirname, "../../packaging")
const read = (path: string): string => Fs.readFileSync(Path.join(packaging, path), "utf8")

const Probe = Schema.Struct({ httpGet: Schema.Struct({ path: Schema.String, port: Schema.String }) })

/** The parts of a workload that the tests check. */
const Workload = Schema.Struct({
  kind: Schema.Literals(["StatefulSet", "Deployment"]),
  spec: Schema.Struct({
    replicas: Schema.Int,
    template: Schema.Struct({
      spec: Schema.Struct({
        terminationGracePeriodSeconds: Schema.optionalKey(Schema.Int),
        containers: Schema.Tuple([Schema.Struct({
          name: Schema.String,
          image: Schema.String,
          args: Schema.Array(Schema.String),
          ports: Schema.Array(Schema.Struct({ name: Schema.String, containerPort: Schema.Int })),
          startupProbe: Schema.optionalKey(Probe),
          livenessProbe: Probe,
          readinessProbe: Probe
        })])
      })
    })
  })
})

const decodeWorkload = Schema.decodeUnknownSync(Workload)

const workloadOf = (text: string) => {
  const found = documents(text).find((document) =>
    typeof document === "object" && document !== null && "kind" in document &&
    (document.kind === "StatefulSet" || document.kind === "Deployment")
  )
  return decodeWorkload(found)
}

const daemons = ["nsqlookupd", "nsqd", "nsqadmin"]

/** The port in the default of an option. */
const portOf = ({ initial }: { readonly initial: () => string }): number => Number(initial().split(":")[1])

const ports: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  nsqd: { tcp: portOf(NsqdTable.table.tcpAddress), http: portOf(NsqdTable.table.httpAddress) },
  nsqlookupd: { tcp: portOf(NsqlookupdTable.table.tcpAddress), http: portOf(NsqlookupdTable.table.httpAddress) },
  nsqadmin: { http: portOf(NsqadminTable.table.httpAddress) }
}

/** Fails if a command line has a flag that its program does not have. */
const checkFlags = ([program = "", ...args]: ReadonlyArray<string>): void => {
  for (const arg of args) {
    const [, flag = arg] = /^--([a-z-]+)=/.exec(arg) ?? []
    assert.isTrue(flagsOf.get(program)?.includes(flag), `${program} ${arg}`)
  }
}

describe("the Helm chart", () => {
  it("with its default values, it is what the plain manifests contain", () => {
    assert.deepStrictEqual(Fs.readdirSync(Path.join(packaging, "kubernetes")).toSorted(), templates())
    for (const name of templates()) {
      assert.deepStrictEqual(documents(render(name)), documents(read(`kubernetes/${name}`)), name)
    }
  })

  it("its version of the image is that of the package", () => {
    const { appVersion } = Schema.decodeUnknownSync(Schema.Struct({ appVersion: Schema.String }))(description())
    assert.strictEqual(appVersion, packageVersion)
  })

  it("each daemon runs with flags that it has, and its ports and probes are its own", () => {
    for (const daemon of daemons) {
      const { args, livenessProbe, name, ports: open, readinessProbe } =
        workloadOf(render(`${daemon}.yaml`)).spec.template.spec.containers[0]
      assert.strictEqual(name, daemon)
      assert.strictEqual(args[0], daemon)
      checkFlags(args)
      assert.deepStrictEqual(
        Object.fromEntries(open.map(({ containerPort, name }) => [name, containerPort])),
        ports[daemon] ?? {}
      )
      assert.strictEqual(readinessProbe.httpGet.path, daemon === "nsqd" ? "/ready" : "/ping")
      assert.strictEqual(livenessProbe.httpGet.path, daemon === "nsqd" ? "/info" : "/ping")
    }
  })

  it("values change what they name", () => {
    const changed = render("nsqd.yaml", {
      nsqd: {
        replicas: 5,
        extraArgs: ["--max-connections=100"],
        extraEnv: [{ name: "NSQD_SNAPPY", value: "false" }],
        storage: { className: "fast" },
        nodeSelector: { disk: "ssd" }
      },
      nsqlookupd: { replicas: 3 },
      image: { repository: "registry.internal/effect-nsq", tag: "9", pullSecrets: [{ name: "key" }] }
    })
    const { replicas, template: { spec } } = workloadOf(changed).spec
    const [{ args, image }] = spec.containers
    assert.strictEqual(replicas, 5)
    assert.strictEqual(image, "registry.internal/effect-nsq:9")
    assert.include(args, "--max-connections=100")
    assert.strictEqual(args.filter((arg) => arg.startsWith("--lookupd-tcp-address=")).length, 3)
    for (const text of ["storageClassName: fast", "NSQD_SNAPPY", `disk: "ssd"`, `{"name":"key"}`]) {
      assert.include(changed, text)
    }
    const [drained] = workloadOf(render("nsqd.yaml", { nsqd: { drainSeconds: 30 } })).spec.template.spec.containers
    assert.includeMembers([...drained.args], ["--drain-on-term", "--drain-timeout=30s"])
    assert.deepStrictEqual(documents(render("podmonitor.yaml", { podMonitor: { enabled: false } })), [])
    assert.include(render("podmonitor.yaml", { podMonitor: { labels: { team: "queues" } } }), `team: "queues"`)
  })
})

const Compose = Schema.Struct({
  services: Schema.Record(
    Schema.String,
    Schema.Struct({ command: Schema.Array(Schema.String), ports: Schema.Array(Schema.String) })
  )
})

describe("the files for Docker", () => {
  it("the services of the compose file have flags that exist, and ports on loopback that are theirs", () => {
    const { services } = Schema.decodeUnknownSync(Compose)(Yaml.parse(read("docker/compose.yaml")))
    assert.deepStrictEqual(Object.keys(services).toSorted(), daemons.toSorted())
    for (const [name, { command, ports: published }] of Object.entries(services)) {
      assert.strictEqual(command[0], name)
      checkFlags(command)
      const expected = Object.values(ports[name] ?? {}).map((port) => `127.0.0.1:${port}:${port}`)
      assert.deepStrictEqual(published, expected)
    }
  })

  it("the image runs as a user other than root, checks its health and exposes the ports of the daemons", () => {
    const lines = read("docker/Dockerfile").split("\n")
    assert.include(lines, "USER 10001:10001")
    assert.include(lines, "VOLUME /data")
    assert.isTrue(lines.some((line) => line.startsWith("HEALTHCHECK")))
    const exposed = lines.find((line) => line.startsWith("EXPOSE"))?.split(" ").slice(1).map(Number) ?? []
    for (const port of Object.values(ports).flatMap((named) => Object.values(named))) assert.include(exposed, port)
  })
})
