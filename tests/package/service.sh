#!/bin/sh
# Runs inside of a booted system, as the last service of the boot: what an administrator would do, step
# by step, into /share/log, with a line "== NAME" before each step. Steps with a partner outside wait for
# a file "NAME.done" in /share.
step() {
  echo "== $1"
}
partner() {
  step "$1"
  touch "/share/$1"
  i=0
  while [ ! -e "/share/$1.done" ] && [ $i -lt 600 ]; do
    sleep 0.1
    i=$((i + 1))
  done
}
show() {
  systemctl show srs-edge --property="$1" --value
}
# until COMMAND...: waits half a minute at most.
await() {
  i=0
  until "$@" || [ $i -ge 300 ]; do
    sleep 0.1
    i=$((i + 1))
  done
}
restarted() {
  [ "$(show NRestarts)" -gt 0 ] && [ "$(show ActiveState)" = active ]
}
exec >/share/log 2>&1

step "install package"
dpkg -i /share/package.deb
cp /share/srs-edge.conf /etc/srs-edge/srs-edge.conf
mkdir -p /run/systemd/system/srs-edge.service.d
cp /share/test.conf /run/systemd/system/srs-edge.service.d/
systemctl set-environment BUN_OPTIONS=--version BUN_BE_BUN=1
systemctl daemon-reload

step verify
systemd-analyze verify /lib/systemd/system/srs-edge.service && echo clean

step security
systemd-analyze security --no-pager srs-edge | tail -n 1

step start
systemctl start srs-edge && echo started
pid=$(show MainPID)
echo "user=$(stat -c %U "/proc/$pid")"
stat -c 'config=%a %U:%G' /etc/srs-edge/srs-edge.conf
show TasksMax
tr '\0' '\n' <"/proc/$pid/environ" | grep -c '^BUN_'
grep -E '^(NoNewPrivs|Seccomp|CapEff):' "/proc/$pid/status"

partner play

step reload
systemctl reload srs-edge && echo reloaded
[ "$(show MainPID)" = "$pid" ] && echo same process
echo 'listen nonsense;' >/etc/srs-edge/srs-edge.conf
systemctl reload srs-edge || echo bad file refused
[ "$(show MainPID)" = "$pid" ] && echo still the same
cp /share/srs-edge.conf /etc/srs-edge/srs-edge.conf

step watchdog
kill -STOP "$pid"
await restarted
echo "restarts=$(show NRestarts)"

step restart
pid=$(show MainPID)
began=$(date +%s%3N)
systemctl restart srs-edge && echo "restarted, $(show ActiveState)"
[ "$(show MainPID)" = "$pid" ] || echo another process
echo "ms=$(($(date +%s%3N) - began))"

step drain
systemctl kill --signal=QUIT srs-edge
sleep 1
echo "$(show ActiveState)"
drained() {
  [ "$(show ActiveState)" = inactive ]
}
await drained
echo "$(show ActiveState), $(show Result)"
systemctl start srs-edge

step stop
systemctl stop srs-edge && echo "$(show ActiveState), $(show Result)"

step journal
journalctl --unit=srs-edge --no-pager --output=cat

step remove
dpkg --purge "$(cat /share/package)"
ls -d /usr/bin/srs-edge /lib/systemd/system/srs-edge.service /etc/srs-edge 2>&1
systemctl status srs-edge 2>&1

# What the program itself prints is what is done next.
step "install by itself"
/share/srs-edge install | tee /share/printed
mkdir -p /run/systemd/system/srs-edge.service.d
cp /share/test.conf /run/systemd/system/srs-edge.service.d/
cp /share/srs-edge.conf /etc/srs-edge/srs-edge.conf
sed -n 's/^  \(systemd-sysusers.*\)/\1/p; s/^  \(systemctl.*\)/\1/p' /share/printed >/share/commands
sh -e /share/commands && echo "$(show ActiveState), $(systemctl is-enabled srs-edge)"
stat -c 'config=%a %U:%G' /etc/srs-edge/srs-edge.conf

step "uninstall by itself"
/usr/local/bin/srs-edge uninstall | tee /share/printed
sed -n 's/^  \(systemctl.*\)/\1/p; s/^  \(userdel.*\)/\1/p' /share/printed >/share/commands
sh -e /share/commands && echo "$(show ActiveState)"
find / -xdev -name '*srs-edge*' -not -path '/proc/*' -not -path '/share/*' -not -path '/run/*' |
  sort

step end
systemctl poweroff --no-block
