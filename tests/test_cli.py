"""
Tests for L{smartproxy_tw.cli}.
"""

from __future__ import annotations

import contextlib
import datetime
import io
import json
import os
import subprocess
import sys

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.trial.unittest import SynchronousTestCase

import smartproxy_tw
from smartproxy_tw.cli import AWAY, CONFIGURATION, OK, TROUBLE, USAGE, main

GOOD = "sites: {a.b: 127.0.0.1:3000}\nstate_dir: /state\n"
BAD = "sites: {a.b: x}\nnonsense: 1\n"


def pair() -> tuple[str, str]:
    """
    A certificate for a.b, and its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.b")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    plain = serialization.NoEncryption()
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(pem)
    return certificate.decode(), key.private_bytes(pem, form, plain).decode()


class MainTests(SynchronousTestCase):
    """
    The command, as a function.
    """

    def setUp(self) -> None:
        """
        A directory of its own to work in.
        """
        directory = self.mktemp()
        os.makedirs(directory)
        old = os.getcwd()
        os.chdir(directory)
        self.addCleanup(os.chdir, old)

    def run_(self, *arguments: str) -> tuple[int, str, str]:
        """
        Exit status, what was printed, and what was complained of.
        """
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = main(arguments)
        return status, out.getvalue(), err.getvalue()

    def write(self, text: str, name: str = "smartproxy.yaml") -> None:
        """
        A file here.
        """
        with open(name, "w", encoding="utf-8") as opened:
            opened.write(text)

    def test_checkGood(self) -> None:
        """
        A good configuration is summed up.
        """
        self.write(GOOD, "x.yaml")
        status, out, err = self.run_("check", "x.yaml")
        self.assertEqual((status, err), (OK, ""))
        self.assertIn("x.yaml: 2 routes on 2 ports, nothing wrong", out)
        self.assertIn("TLS, ended here, http inside; a.b", out)
        self.assertIn("certificate  by ACME for a.b", out)

    def test_checkBad(self) -> None:
        """
        All that is wrong with a bad one is told, and counted.
        """
        self.write(BAD, "x.yaml")
        status, out, err = self.run_("check", "x.yaml")
        self.assertEqual((status, out), (CONFIGURATION, ""))
        lines = err.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[0].startswith("x.yaml:1:14: sites[a.b]: 'x' has no port"))
        self.assertTrue(lines[1].startswith("x.yaml:2:1: nonsense: is not an option here"))
        self.assertEqual(lines[2], "x.yaml: 2 problems")
        self.write("nonsense: 1\n" + GOOD)
        self.assertIn("smartproxy.yaml: 1 problem\n", self.run_("check")[2])

    def test_checkQuietly(self) -> None:
        """
        A script may only want the status.
        """
        self.write(GOOD)
        self.assertEqual(self.run_("check", "--quiet"), (OK, "", ""))

    def test_checkAsOthers(self) -> None:
        """
        The file may be named as all other commands have it named, but not two of them.
        """
        self.write(BAD, "other.yaml")
        self.assertEqual(self.run_("check", "--config", "other.yaml"), self.run_("check", "other.yaml"))
        self.assertEqual(self.run_("check", "-c", "other.yaml")[0], CONFIGURATION)
        self.assertEqual(self.run_("check", "-c", "other.yaml", "smartproxy.yaml")[0], USAGE)

    def test_checkRunsNothing(self) -> None:
        """
        Functions that give targets are looked for, with the line of who wants them, and nothing of
        their modules is run: whoever checks may be root.
        """
        self.write("open('ran', 'w').close()\ndef pick(facts): ...\n", "given_by_this_test.py")
        action = "{type: forward, targets: 'python:%s'}"
        text = f"state_dir: /state\nroutes:\n- match: {{ports: 80}}\n  action: {action}\n"
        self.write(text % "given_by_this_test.pick")
        self.assertEqual(self.run_("check", "--quiet"), (OK, "", ""))
        self.write(text % "given_by_this_test.choose")
        status, _, err = self.run_("check")
        self.assertEqual(status, CONFIGURATION)
        self.assertIn(
            "(line 3): python:given_by_this_test.choose cannot be imported: there is no choose in", err
        )
        self.assertFalse(os.path.exists("ran"))

    def test_checkNoFile(self) -> None:
        """
        A file that is not there is a wrong configuration.
        """
        status, _, err = self.run_("check", "none.yaml")
        self.assertEqual(status, CONFIGURATION)
        self.assertIn("none.yaml: cannot be read: No such file or directory", err)

    def test_checkCertificates(self) -> None:
        """
        Certificate files that no server could use are told, the others are not.
        """
        for name, text in (("a.pem", "".join(pair())), ("other.pem", pair()[1]), ("junk.pem", "junk")):
            self.write(text, name)
        for cert, key, told in (
            ("a.pem", "a.pem", None),
            ("a.pem", "other.pem", "they do not belong together"),
            ("junk.pem", "a.pem", "not PEM of its kind"),
            ("a.pem", "junk.pem", "not PEM of its kind"),
        ):
            self.write(f"sites: {{a.b: {{to: 1, www: redirect, certificate: {{cert: {cert}, key: {key}}}}}}}")
            status, out, err = self.run_("check")
            if told is None:
                self.assertEqual((status, err), (OK, ""))
                continue
            self.assertEqual((status, out, len(err.splitlines())), (CONFIGURATION, "", 1))
            self.assertTrue(err.startswith("smartproxy.yaml: route 'a.b': the certificate "), err)
            self.assertIn(told, err)
            self.assertNotIn("BEGIN", err)

    def test_checkAuthorities(self) -> None:
        """
        Files of authorities that the start would refuse are told, the others are not.
        """
        self.write(pair()[0], "good.pem")
        self.write(pair()[1], "key.pem")
        for file, expected in (("good.pem", OK), ("key.pem", CONFIGURATION)):
            for tls in (
                f"mode: terminate, client_certificates: {{mode: require, ca_file: {file}}}",
                f"mode: terminate-and-reencrypt, ca_file: {file}",
            ):
                self.write(
                    "routes: [{match: {ports: 1, domains: a.b}, action: {type: forward, targets: 2, "
                    f"tls: {{certificate: internal, {tls}}}}}}}]"
                )
                status, _, err = self.run_("check")
                self.assertEqual(status, expected, err)
                told = "it is no PEM bundle of certificates" in err
                self.assertEqual(told, expected == CONFIGURATION, err)

    def test_checkExternalAccount(self) -> None:
        """
        A file that should hold the key of an external account, and does not, is told;
        what it holds is not.
        """
        for content, expected in (("c2VjcmV0\n", OK), ("not! a key", CONFIGURATION)):
            self.write(content, "key")
            self.write("acme: {external_account: {key_id: k, hmac_key_file: key}}\nsites: {a.b: 1}")
            status, _, err = self.run_("check")
            self.assertEqual(status, expected, err)
            self.assertEqual("acme.external_account" in err, expected == CONFIGURATION, err)
            self.assertNotIn("not!", err)

    def test_schema(self) -> None:
        """
        The schema is printed as JSON.
        """
        status, out, err = self.run_("schema")
        self.assertEqual((status, err), (OK, ""))
        self.assertIn("routes", json.loads(out)["properties"])

    def test_explain(self) -> None:
        """
        A URL is explained by the configuration.
        """
        self.write(GOOD, "x.yaml")
        status, out, err = self.run_("explain", "--config", "x.yaml", "https://a.b/x")
        self.assertEqual((status, err), (OK, ""))
        self.assertIn("127.0.0.1:3000", out)
        self.assertIn("a.b (to https)", out)
        for url in ("http://a.b/", "tls://a.b:443", "tcp://a.b:80", "http://nobody.example:99/"):
            self.assertEqual(self.run_("explain", "-c", "x.yaml", url)[0], OK)

    def test_explainCircumstances(self) -> None:
        """
        What a URL does not tell is told beside it.
        """
        self.write(
            """
            routes:
            - name: beta
              match:
                {ports: 443, method: PUT, headers: {a: b, c: d}, client_ip: 10.0.0.0/8, tls_version: "1.2"}
              action: {type: respond, tls: {mode: terminate, certificate: internal}}
            """
        )
        told = ["--method", "PUT", "--header", "A: b", "--header", "C:d", "--client", "10.0.0.7"]
        url = "https://a.b/x"
        status, out, err = self.run_("explain", url, *told, "--tls-version", "1.2")
        self.assertEqual((status, err), (OK, ""))
        self.assertIn("taken by    beta", out)
        status, out, err = self.run_("explain", url, *told)
        self.assertIn("tls: its version is 1.3, not 1.2", out)
        status, out, err = self.run_("explain", url, *told[2:])
        self.assertIn("method: GET is not PUT", out)
        status, out, err = self.run_("explain", url, *told[:4])
        self.assertIn("header: c is not there", out)
        self.assertEqual(self.run_("explain", url, "--client", "x")[0], TROUBLE)

    def test_explainBad(self) -> None:
        """
        A bad URL is trouble, a bad configuration is that.
        """
        self.write(GOOD)
        status, out, err = self.run_("explain", "ftp://a.b/")
        self.assertEqual((status, out), (TROUBLE, ""))
        self.assertTrue(err.startswith("smartproxy explain: "))
        self.write(BAD)
        status, out, err = self.run_("explain", "https://a.b/")
        self.assertEqual((status, out), (CONFIGURATION, ""))
        self.assertIn("'x' has no port", err)

    def test_init(self) -> None:
        """
        What is written passes the check, and names itself.
        """
        status, out, err = self.run_("init")
        self.assertEqual((status, err), (OK, ""))
        self.assertIn("smartproxy check smartproxy.yaml", out)
        self.assertEqual(self.run_("check")[0], OK)
        self.assertEqual(self.run_("init", "other.yml")[0], OK)
        with open("other.yml", encoding="utf-8") as opened:
            self.assertIn("smartproxy check other.yml", opened.read())
        self.assertEqual(self.run_("check", "other.yml")[0], OK)

    def test_initReplacesNothing(self) -> None:
        """
        A file that exists stays as it is, dangling links too.
        """
        self.write("mine")
        status, out, err = self.run_("init")
        self.assertEqual((status, out), (TROUBLE, ""))
        self.assertIn("smartproxy.yaml exists already", err)
        with open("smartproxy.yaml", encoding="utf-8") as opened:
            self.assertEqual(opened.read(), "mine")
        os.symlink("nowhere.yaml", "link.yaml")
        self.assertEqual(self.run_("init", "link.yaml")[0], TROUBLE)
        self.assertFalse(os.path.exists("nowhere.yaml"))

    def test_initElsewhere(self) -> None:
        """
        What cannot be written, or would not be read, is told.
        """
        for name, told in (
            ("none/a.yaml", "cannot be written: No such file or directory"),
            ("a.toml", "has to end in .yaml or .yml"),
            ("a\0.yaml", "cannot be written"),
        ):
            status, out, err = self.run_("init", name)
            self.assertEqual((status, out), (TROUBLE, ""))
            self.assertIn(told, err)

    def test_usage(self) -> None:
        """
        A wrong command line is a status of its own.
        """
        for arguments in ((), ("nonsense",), ("explain",), ("check", "a", "b"), ("schema", "x")):
            status, out, err = self.run_(*arguments)
            self.assertEqual((status, out), (USAGE, ""))
            self.assertIn("usage: smartproxy", err)

    def test_help(self) -> None:
        """
        Help names every command and every status; each command has its own.
        """
        status, out, _ = self.run_("--help")
        self.assertEqual(status, OK)
        for word in ("check", "explain", "schema", "init", "exit status:", "  3  "):
            self.assertIn(word, out)
        for command in (
            "check",
            "explain",
            "schema",
            "init",
            "status",
            "top",
            "drain",
            "upgrade",
            "doctor",
            "completion",
        ):
            status, out, _ = self.run_(command, "--help")
            self.assertEqual(status, OK)
            self.assertIn(f"usage: smartproxy {command}", out)

    def test_away(self) -> None:
        """
        Where no proxy answers that is a status of its own, and the message says what to
        do.
        """
        self.write(GOOD + "admin: {socket: a.sock}\n")
        for arguments in (
            ("status",),
            ("status", "--json"),
            ("drain",),
            ("drain", "--target", "a:1"),
            ("upgrade",),
            ("status", "--socket", "b.sock"),
        ):
            status, out, err = self.run_(*arguments)
            self.assertEqual((status, out), (AWAY, ""), arguments)
            self.assertIn(f"smartproxy {arguments[0]}: No proxy answers at {os.getcwd()}/", err)
        self.write(BAD)
        status, _, err = self.run_("status")
        self.assertEqual(status, CONFIGURATION)
        # What is asked goes to the running proxy, for which the file is not needed.
        self.assertIn("--socket", err.splitlines()[0])

    def test_withoutFile(self) -> None:
        """
        Where no configuration is named and none is here the proxy is looked for where one
        without a file is; a file that is named has to be there.
        """
        before = os.environ.get("STATE_DIRECTORY")
        os.environ["STATE_DIRECTORY"] = os.path.join(os.getcwd(), "s")
        self.addCleanup(
            lambda: os.environ.pop("STATE_DIRECTORY") and before and os.environ.update(STATE_DIRECTORY=before)
        )
        status, _, err = self.run_("status")
        self.assertEqual(status, AWAY)
        self.assertIn(f"No proxy answers at {os.getcwd()}/s/admin.sock", err)
        self.assertEqual(self.run_("status", "-c", "none.yaml")[0], CONFIGURATION)

    def test_top(self) -> None:
        """
        Where there is no terminal there is nothing to look at.
        """
        status, out, err = self.run_("top", "--socket", "a.sock")
        self.assertEqual((status, out), (USAGE, ""))
        self.assertIn("needs a terminal", err)

    def test_undo(self) -> None:
        """
        What is to be taken back has to be named.
        """
        status, _, err = self.run_("drain", "--undo", "--socket", "a.sock")
        self.assertEqual(status, USAGE)
        self.assertIn("--undo needs --target", err)

    def test_delay(self) -> None:
        """
        A delay is a number of seconds.
        """
        for delay in ("-1", "x", "nan", "3601", "inf"):
            status, _, err = self.run_("drain", f"--delay={delay}")
            self.assertEqual(status, USAGE)
            self.assertIn("is no number of seconds from 0 to 3600", err)

    def test_doctor(self) -> None:
        """
        A configuration that is wrong is told first; where nothing runs, that is bad.
        """
        self.write(BAD)
        status, out, _ = self.run_("doctor")
        self.assertEqual(status, CONFIGURATION)
        self.assertIn("BAD      configuration: smartproxy.yaml:1:14: sites[a.b]", out)
        internal = "{type: block, tls: {mode: terminate, certificate: internal}}"
        route = f"{{match: {{ports: 1, domains: a.b}}, action: {internal}}}"
        self.write(f"state_dir: s\nroutes: [{route}]\n")
        status, out, _ = self.run_("doctor")
        self.assertEqual(status, TROUBLE)
        self.assertIn(
            "ok       configuration: smartproxy.yaml is right\nBAD      proxy: No proxy answers", out
        )
        self.assertFalse(os.path.exists("s"))

    def test_completion(self) -> None:
        """
        For each shell there is a script.
        """
        for shell in ("bash", "zsh", "fish"):
            status, out, err = self.run_("completion", shell)
            self.assertEqual((status, err), (OK, ""))
            self.assertIn(f"smartproxy completion {shell}", out)
        self.assertEqual(self.run_("completion", "csh")[0], USAGE)

    def test_version(self) -> None:
        """
        The version is that of the package.
        """
        self.assertEqual(self.run_("--version"), (OK, f"smartproxy {smartproxy_tw.__version__}\n", ""))


class ProcessTests(SynchronousTestCase):
    """
    The command as a process.
    """

    def start(self, *arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
        """
        Run it to its end.
        """
        place = os.path.dirname(os.path.dirname(smartproxy_tw.__file__))
        return subprocess.run(
            [sys.executable, *(("-c", code) if code else ("-m", "smartproxy_tw.cli")), *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": place},
        )

    def test_status(self) -> None:
        """
        The status of the process is that of the command.
        """
        ended = self.start("check", self.mktemp())
        self.assertEqual((ended.returncode, ended.stdout), (CONFIGURATION, ""))
        self.assertEqual(len(ended.stderr.splitlines()), 2, ended.stderr)

    def test_closedPipe(self) -> None:
        """
        A reader that has seen enough causes no traceback.
        """
        code = (
            "import os, sys; r, w = os.pipe(); os.close(r); os.dup2(w, 1); "
            "from smartproxy_tw.cli import main; sys.exit(main(['completion', 'bash']))"
        )
        ended = self.start(code=code)
        self.assertEqual((ended.returncode, ended.stderr), (TROUBLE, ""))

    def test_fullDisk(self) -> None:
        """
        An output that cannot be written is told as what it is: at once, and at the end, when it is
        short.
        """
        for arguments in (["schema"], ["check", "-c", self.path(GOOD)]):
            code = (
                "import os, sys; os.dup2(os.open('/dev/full', os.O_WRONLY), 1); "
                f"from smartproxy_tw.cli import main; sys.exit(main({arguments!r}))"
            )
            ended = self.start(code=code)
            told = f"smartproxy {arguments[0]}: what it says cannot be written: No space left on device\n"
            self.assertEqual((ended.returncode, ended.stderr), (TROUBLE, told))

    def test_interrupted(self) -> None:
        """
        Who interrupts it, whatever it does just now, is told nothing by it but its status.
        """
        code = (
            "import signal, sys; from smartproxy_tw.config import loading; "
            "loading.load = lambda *_: signal.raise_signal(signal.SIGINT); "
            "from smartproxy_tw.cli import main; sys.exit(main(sys.argv[1:]))"
        )
        for arguments in (["check"], ["explain", "http://a.b"], ["certificates", "plan"], ["doctor"]):
            ended = self.start(*arguments, code=code)
            self.assertEqual((ended.returncode, ended.stdout, ended.stderr), (130, "", ""), arguments)

    def path(self, text: str) -> str:
        """
        A file with that in it.
        """
        path = os.path.abspath(self.mktemp()) + ".yaml"
        with open(path, "w", encoding="utf-8") as opened:
            opened.write(text)
        return path

    def test_helpIsQuick(self) -> None:
        """
        Neither help nor version imports what is slow.
        """
        code = (
            "import sys; from smartproxy_tw.cli import main; status = main(['--help']) or "
            "main(['--version']); "
            "heavy = {'pydantic', 'yaml', 'twisted', 'tomllib', 'json', 'dataclasses'} & set(sys.modules); "
            "sys.exit(status or (f'imported: {heavy}' if heavy else 0))"
        )
        ended = self.start(code=code)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_noReactor(self) -> None:
        """
        Checking and explaining import no Twisted.
        """
        path = self.mktemp() + ".yaml"
        with open(path, "w", encoding="ascii") as opened:
            opened.write(GOOD)
        code = (
            "import sys; from smartproxy_tw.cli import main; "
            f"status = main(['check', {path!r}]) or main(['explain', '-c', {path!r}, 'https://a.b/']); "
            "sys.exit(status or 'twisted' in sys.modules)"
        )
        self.assertEqual(self.start(code=code).returncode, 0)
