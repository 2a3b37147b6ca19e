# Dovecot's authentication alone, for Postfix (smtpd_sasl_path = inet:127.0.0.1:2540). $USERS: the passwd-file.
PORT=2540
peer_conf() {
  mounts dovecot; local c=$P/dovecot/etc/dovecot
  cp "$USERS" $c/bench-users; chmod 644 $c/bench-users
  cat > $c/bench.conf <<X
protocols =
log_path = /var/log/dovecot-bench.log
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain login scram-sha-256
auth_username_format = %u
passdb {
  driver = passwd-file
  args = /etc/dovecot/bench-users
}
userdb {
  driver = static
  args = uid=5000 gid=5000 home=/var/empty
}
service auth {
  inet_listener {
    address = 127.0.0.1
    port = $PORT
  }
  client_limit = 4096
}
service anvil {
  chroot =
}
X
}
peer_start() { in_cg dovecot chroot $P/dovecot dovecot -c /etc/dovecot/bench.conf; wait_port $PORT; }
peer_stop() { stop_cg dovecot; rm -f $P/dovecot/run/dovecot/master.pid $P/dovecot/var/run/dovecot/master.pid; }
peer_clean() { : > $P/dovecot/var/log/dovecot-bench.log; }
peer_queued() { echo 0; }
